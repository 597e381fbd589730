import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { resolve, sep } from "node:path"
import type { JobArguments } from "../arguments.ts"
import { generateSample } from "./sample.ts"
import { fileSource, inSequence, type InputSource, sampleSource } from "./source.ts"

type Files = Pick<JobArguments, "beacons" | "logs" | "isSample">

/** What there is to play: the recordings of beacons one after the other, and each log beside them. */
export async function inputsOf({ beacons, logs, isSample }: Files): Promise<ReadonlyArray<InputSource>> {
  if (isSample) return generateSample().map(sampleSource)
  const names = shortNames([...beacons, ...logs])
  const name = (path: string) => names.get(path) ?? path
  const recordings = beacons.map((path) => fileSource(path, name(path), "beacons"))
  return [await inSequence("beacons", recordings), ...logs.map((path) => fileSource(path, name(path), "logs"))]
}

/** The end of each path that is long enough to tell the files apart: the name alone, mostly. */
export function shortNames(paths: ReadonlyArray<string>): ReadonlyMap<string, string> {
  const parts = paths.map((path) => resolve(path).split(sep))
  const end = (of: ReadonlyArray<string>, length: number) => of.slice(-length).join("/")
  return new Map(
    paths.map((path, index) => {
      const own = parts[index] ?? []
      let length = 1
      while (length < own.length && parts.some((other) => other !== own && end(other, length) === end(own, length)))
        length++
      return [path, end(own, length)]
    })
  )
}

/** Tells one set of input files from another, by their names and contents. */
export async function inputDigest({ beacons, logs, isSample }: Files): Promise<string> {
  if (isSample) return "sample"
  const digest = createHash("sha256")
  for (const [path, name] of shortNames([...beacons, ...logs])) {
    digest.update(`${name.length} ${name} `)
    const file = createHash("sha256")
    for await (const part of createReadStream(path)) file.update(part as Uint8Array)
    digest.update(file.digest())
  }
  return digest.digest("hex").slice(0, 16)
}
