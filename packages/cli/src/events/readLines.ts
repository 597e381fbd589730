import type { Readable } from "node:stream"

/** Longest line in bytes: a record of the largest size, in base64, twice. */
const lineBytesMax = 2 ** 30 / 2

/** A line of a file, numbered from 1. */
export type Line = { readonly number: number } & ({ readonly text: string } | { readonly fault: string })

/** The lines of a stream of bytes, without those that are empty. A line that is no text is told, and those behind it go on. */
export async function* readLines(source: Readable): AsyncGenerator<Line> {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  let parts: Array<Buffer> = []
  let bytes = 0
  let number = 0
  const line = (): Line | undefined => {
    number++
    const all = Buffer.concat(parts)
    const isLong = bytes > lineBytesMax
    parts = []
    bytes = 0
    if (isLong) return { number, fault: `it is longer than ${lineBytesMax} bytes` }
    try {
      const text = decoder.decode(all)
      return text.trim() === "" ? undefined : { number, text }
    } catch {
      return { number, fault: "it is not UTF-8" }
    }
  }
  const take = (part: Buffer) => {
    bytes += part.length
    // What is too long is not kept.
    if (bytes <= lineBytesMax) parts.push(part)
  }
  for await (const chunk of source) {
    const buffer = Buffer.from(chunk as Uint8Array)
    let from = 0
    for (let end = buffer.indexOf(10); end >= 0; end = buffer.indexOf(10, from)) {
      take(buffer.subarray(from, end))
      from = end + 1
      const told = line()
      if (told !== undefined) yield told
    }
    if (from < buffer.length) take(buffer.subarray(from))
  }
  const last = bytes > 0 ? line() : undefined
  if (last !== undefined) yield last
}
