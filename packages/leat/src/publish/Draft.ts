/**
 * One event, read and written before anything of it is placed: key, headers and value as bytes. All of the caller's code that an
 * offer runs (getters, the key function, the encoder) runs here, so what comes after is never interrupted by it; and the size is
 * known before a buffer is asked for room.
 *
 * Code that runs here may offer events itself. Each offer inside another has a draft of its own, and is answered first.
 */
import { Buffer } from "node:buffer"
import protobuf from "protobufjs/minimal.js"
import type { Contract, Key } from "../contract/Contract.ts"
import { ContextHeaders, type EventContext, type Surroundings } from "../record/ContextHeaders.ts"
import { keyBytes, keyBytesMax, writeKey } from "../record/Key.ts"
import { kindOf } from "../given/takes.ts"
import { textOfThrown } from "../given/thrown.ts"
import type { RejectReason } from "./Admission.ts"
import { contextFault } from "./contextFault.ts"

/** Size of the buffer that values are written into, until one is larger. */
const valueBytesExpected = 16_384

/** Largest buffer that is kept for the next value. */
const keptBytesMax = 1_048_576

/** Values up to this size are copied here: a call into native code takes longer. */
const copiedHereMax = 256

/** Offers inside offers. Deeper ones are those of a getter that offers its own event. */
const depthMax = 8

/** How many drafts have been filled: whoever sees another number than before was interrupted by other offers. */
let filled = 0

/** An array has no fields of an event, which alone would be told. */
const severalFault = "an event is an object, and not an array; publishAll takes several"

export class Draft {
  readonly headers: ContextHeaders
  /** Bytes of the key; 0 without one. They stand in `keyBytes`. */
  keyLength = 0
  valueLength = 0
  isTombstone = false
  /** Why it cannot be offered, in words. */
  fault = ""
  #writer: protobuf.Writer | undefined
  #value: Buffer
  #view: DataView
  /** The key, of a draft that is kept. */
  #key: Buffer | undefined

  constructor(headers = new ContextHeaders(), value = Buffer.allocUnsafeSlow(valueBytesExpected)) {
    this.headers = headers
    this.#value = value
    this.#view = viewOf(value)
  }

  /** Reads an event; returns why it cannot be offered. Never throws. */
  fill<T>(
    contract: Contract<T>,
    event: T,
    context: EventContext | undefined,
    around: Surroundings | undefined
  ): RejectReason | undefined {
    const turn = ++filled
    try {
      this.isTombstone = false
      if (typeof event !== "object" || event === null)
        return this.#wrong(`an event is an object, and not ${kindOf(event)}`)
      const fault = givenFault(context)
      if (fault !== undefined) return this.#wrong(fault)
      this.#readHeaders(context, around)
      const key = contract.key(event)
      const reason = this.#readKey(contract, key)
      if (reason !== undefined && Array.isArray(event)) return this.#wrong(severalFault)
      if (reason !== undefined) return reason
      this.#encode(contract, event)
      if (turn !== filled && key !== undefined) writeKey(key)
      return undefined
    } catch (error) {
      return this.#refuse(error)
    }
  }

  /** Reads the removal of a key, as `fill` does an event. */
  fillTombstone<T>(
    contract: Contract<T>,
    key: Key,
    context: EventContext | undefined,
    around: Surroundings | undefined
  ): RejectReason | undefined {
    filled++
    try {
      this.isTombstone = true
      this.valueLength = 0
      const fault = givenFault(context)
      if (fault !== undefined) return this.#wrong(fault)
      this.#readHeaders(context, around)
      if (contract.compacted) return this.#readKey(contract, key)
      return this.#wrong("a tombstone needs a contract marked compacted")
    } catch (error) {
      return this.#refuse(error)
    }
  }

  /** Puts the key of a kept draft back to where it is copied from. */
  recall(): void {
    if (this.#key !== undefined) keyBytes.set(this.#key)
  }

  /** Copies the value to `at` of an arena; returns the position after it. */
  copyValue(arena: Buffer, view: DataView, at: number): number {
    const length = this.valueLength
    if (length > copiedHereMax) {
      this.#value.copy(arena, at, 0, length)
      return at + length
    }
    const from = this.#view
    // By eights. Compiled code makes no BigInt of what is read only to be written.
    const whole = length & ~7
    for (let index = 0; index < whole; index += 8) view.setBigInt64(at + index, from.getBigInt64(index, true), true)
    for (let index = whole; index < length; index++) view.setUint8(at + index, from.getUint8(index))
    return at + length
  }

  /** The same event in bytes of its own, for an offer that waits. Taken at once: the key is still where it was written. */
  keep(): Draft {
    const kept = new Draft(this.headers.copy(), Buffer.from(this.#value.subarray(0, this.valueLength)))
    kept.keyLength = this.keyLength
    kept.valueLength = this.valueLength
    kept.isTombstone = this.isTombstone
    kept.#key = Buffer.from(keyBytes.subarray(0, this.keyLength))
    return kept
  }

  #readHeaders(context: EventContext | undefined, around: Surroundings | undefined): void {
    this.headers.clear()
    if (context !== undefined || around !== undefined) this.headers.write(context, around)
  }

  #wrong(fault: string): RejectReason {
    this.fault = fault
    return "invalid"
  }

  #refuse(error: unknown): RejectReason {
    // In whatever state the encoder left it.
    this.#writer = undefined
    this.fault = textOfThrown(error)
    return "invalid"
  }

  #readKey<T>({ unordered, keyPath = "" }: Contract<T>, key: Key | undefined): RejectReason | undefined {
    if (key === undefined) {
      this.keyLength = 0
      if (unordered && !this.isTombstone) return undefined
      this.fault = `the key ${keyPath} is not set`
      return "emptyKey"
    }
    this.keyLength = writeKey(key)
    if (this.keyLength > 0) return undefined
    this.fault =
      this.keyLength === 0 ? `the key ${keyPath} is empty` : `the key ${keyPath} is over ${keyBytesMax} bytes`
    return this.keyLength === 0 ? "emptyKey" : "keyTooLarge"
  }

  #encode<T>(contract: Contract<T>, event: T): void {
    const writer = (this.#writer ??= protobuf.Writer.create())
    if (writer.buf !== this.#value || this.#value.length > keptBytesMax) {
      if (this.#value.length > keptBytesMax) this.#use(Buffer.allocUnsafeSlow(valueBytesExpected))
      Object.assign(writer, { buf: this.#value, view: null, states: null })
    }
    writer.pos = 0
    contract.encodeInto(event, writer)
    this.valueLength = writer.pos
    // A value that found no room has moved on to a larger buffer: the next one begins there.
    if (writer.buf !== this.#value) this.#use(bufferOf(writer.buf))
  }

  #use(value: Buffer): void {
    this.#value = value
    this.#view = viewOf(value)
  }
}

function givenFault(context: unknown): string | undefined {
  return typeof context === "object" && context !== null ? contextFault(context) : undefined
}

const drafts: Array<Draft> = []
let depth = 0

/** The draft of an offer that begins; undefined inside too many others. Given back with `endDraft`. */
export function beginDraft(): Draft | undefined {
  if (depth === depthMax) return undefined
  return (drafts[depth++] ??= new Draft())
}

/** The offer that began last has its answer. */
export function endDraft(): void {
  depth--
}

function bufferOf(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length)
}
