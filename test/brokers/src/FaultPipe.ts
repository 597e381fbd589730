import type { Socket } from "node:net"

/** Beyond this the sender feels it: the pipe stops reading, as a full network does. */
const heldBytesMax = 4 * 1024 * 1024

export interface Pace {
  delayMs: number
  isFrozen: boolean
}

interface Held {
  readonly bytes: Buffer
  readonly dueMs: number
  readonly written: (() => void) | undefined
}

/** One direction of a connection: writes in order, each piece when its delay is over and the pipe is not frozen. */
export class FaultPipe {
  readonly #from: Socket
  readonly #to: Socket
  readonly #pace: Readonly<Pace>
  readonly #held: Array<Held> = []
  #heldBytes = 0
  #hasEnded = false
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, pace: Readonly<Pace>) {
    this.#from = from
    this.#to = to
    this.#pace = pace
    to.on("drain", () => this.pump())
  }

  send(bytes: Buffer, written?: () => void): void {
    this.#held.push({ bytes, dueMs: performance.now() + this.#pace.delayMs, written })
    this.#heldBytes += bytes.length
    this.pump()
  }

  /** Nothing comes any more: ends the other side after the last byte. */
  end(): void {
    this.#hasEnded = true
    this.pump()
  }

  /** Writes what is due; called again when the pace changes. */
  pump(): void {
    clearTimeout(this.#timer)
    while (!this.#pace.isFrozen && !this.#to.writableNeedDrain) {
      const next = this.#held[0]
      if (next === undefined) {
        if (this.#hasEnded) this.#to.end()
        break
      }
      const waitMs = next.dueMs - performance.now()
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs)
        break
      }
      this.#held.shift()
      this.#heldBytes -= next.bytes.length
      this.#to.write(next.bytes, next.written)
    }
    if (this.#heldBytes > heldBytesMax) this.#from.pause()
    else if (this.#from.isPaused()) this.#from.resume()
  }

  destroy(): void {
    clearTimeout(this.#timer)
    this.#held.length = 0
    this.#heldBytes = 0
  }
}
