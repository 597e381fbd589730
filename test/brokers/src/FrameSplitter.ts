/** Longer than any frame that a broker takes by default; what claims more is not Kafka's protocol. */
const frameBytesMax = 200 * 1024 * 1024

/** Cuts a stream of bytes at the ends of Kafka's frames: four bytes of length, then as many bytes. */
export class FrameSplitter {
  #pending: Array<Buffer> = []
  #pendingBytes = 0
  #neededBytes = 4
  #isForeign = false

  /** Whole frames, each with its length; the bytes themselves where the stream is not Kafka's. */
  push(chunk: Buffer): ReadonlyArray<Buffer> {
    if (this.#isForeign) return [chunk]
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    if (this.#pendingBytes < this.#neededBytes) return []
    const bytes = this.rest()
    const frames: Array<Buffer> = []
    let at = 0
    while (bytes.length - at >= 4) {
      const length = bytes.readInt32BE(at)
      if (length < 0 || length > frameBytesMax) {
        this.#isForeign = true
        return [...frames, bytes.subarray(at)]
      }
      if (bytes.length - at < 4 + length) break
      frames.push(bytes.subarray(at, (at += 4 + length)))
    }
    this.#keep(bytes.subarray(at))
    return frames
  }

  /** Takes what has come of a frame that is not whole. */
  rest(): Buffer {
    const bytes = Buffer.concat(this.#pending)
    this.#pending = []
    this.#pendingBytes = 0
    this.#neededBytes = 4
    return bytes
  }

  #keep(start: Buffer): void {
    if (start.length === 0) return
    this.#pending = [start]
    this.#pendingBytes = start.length
    if (start.length >= 4) this.#neededBytes = 4 + start.readInt32BE(0)
  }
}
