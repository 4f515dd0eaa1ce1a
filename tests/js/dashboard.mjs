// What a dashboard written against PocketBase does, told line by line: each line of standard output is one JSON value.
// Arguments: the address of the API.

import { EventSource } from "eventsource";
import PocketBase from "pocketbase";

globalThis.EventSource = EventSource;
const pb = new PocketBase(process.argv[2]);
pb.autoCancellation(false);
const say = (what, value) => console.log(JSON.stringify([what, value]));

async function refusal(work) {
    try {
        await work();
        return null;
    } catch (error) {
        return { status: error.status, message: error.response.message };
    }
}

say("health", await pb.health.check());

const [event] = await pb.collection("events").getFullList({ filter: "isCurrent = true" });
say("event", event);

const position = await pb.collection("client_kv").getFirstListItem(
    `namespace = "race" && key = "currentOrder" && event = "${event.id}"`,
);
const { order, raceId } = JSON.parse(position.value);
say("current", { order, raceId });

const around = await pb.collection("races").getList(1, 10, {
    filter: `event = "${event.id}" && raceOrder >= ${order - 1} && raceOrder <= ${order + 1}`,
    sort: "raceOrder",
    expand: "round",
});
say("around", around.items.map((race) => [race.raceOrder, race.raceNumber, race.expand.round.roundNumber]));

const race = await pb.collection("races").getOne(raceId);
say("race", race);
say("laps", await pb.collection("laps").getFullList({ batch: 2, filter: pb.filter("race = {:id}", { id: race.id }) }));
say("missing", await refusal(() => pb.collection("races").getOne("000000000000000")));
say("unknown", await refusal(() => pb.collection("secrets").getFullList()));
say("bad", await refusal(() => pb.collection("laps").getFullList({ filter: "speed > 9000" })));
say("write", await refusal(() => pb.collection("laps").create({ lapNumber: 1 })));
say("update", await refusal(() => pb.collection("races").update(race.id, { valid: false })));
say("delete", await refusal(() => pb.collection("races").delete(race.id)));

let told = 0;
const stopLaps = await pb.collection("laps").subscribe("*", ({ action, record }) => {
    say("lap", { action, record });
    told += 1;
    if (told === 2) leave();
}, { expand: "detection.pilot", filter: "lapNumber > 0" });
await pb.collection("races").subscribe(raceId, ({ action, record }) => say("race-told", { action, end: record.end }));
say("subscribed", pb.realtime.clientId.length);

async function leave() {
    await stopLaps();
    await pb.realtime.unsubscribe();
    say("left", pb.realtime.isConnected);
}
