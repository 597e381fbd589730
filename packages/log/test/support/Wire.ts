import type { PlainRecord } from "leat/testing"

/** A record that carries an event id of the stream with tag 0 in the compact wire; its value is `bucket/seq`. */
function event(bucket: number, seq: number, incarnation = 7): PlainRecord {
  if (bucket > 127 || seq >= 2 ** 21) throw new Error("these ids are written with fixed lengths")
  const header = new Uint8Array(33).fill(0)
  header[0] = 3
  header.fill(incarnation, 1, 17)
  header.set([bucket, (seq & 127) | 128, ((seq >> 7) & 127) | 128, (seq >> 14) & 127, 1], 27)
  return { key: `${bucket}`, value: `${bucket}/${seq}`, headers: [["leat", header]] }
}

export const Wire = { event }
