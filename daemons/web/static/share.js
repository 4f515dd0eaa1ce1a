// The page's own address, as a link to pass on and as a QR code for whoever stands beside.

import { make, setText } from "/static/text.js";

export function openShare(button, dialog) {
  const picture = make("img", "qr");
  picture.alt = "QR code of this page's address";
  picture.width = picture.height = 280;
  const words = make("p", "address");
  const pass = make("button", "", "Pass on");
  pass.type = "button";
  pass.hidden = !navigator.share;
  pass.addEventListener("click", () => navigator.share({ url: location.href }).catch(() => {}));
  const close = make("button", "", "Close");
  close.type = "button";
  close.addEventListener("click", () => dialog.close());
  dialog.append(make("h2", "", "Share this page"), picture, words, make("p", "buttons", pass, close));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  button.addEventListener("click", () => {
    picture.src = "/qr.svg?" + new URLSearchParams({ of: location.href });
    setText(words, location.href);
    dialog.showModal();
  });
}
