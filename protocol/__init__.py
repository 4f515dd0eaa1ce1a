"""The wire. Pure: no trio, no sockets, no clock, no files. Bytes and times in, values and decisions out."""
