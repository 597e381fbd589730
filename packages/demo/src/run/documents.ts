import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { JobArguments } from "../arguments.ts"
import { Misuse } from "../arguments.ts"

/** What a document writes, in quotes, where the job is to name the directory. */
const placeholder = '"{directory}"'

/** The same for its second log. */
const secondFolder = '"{second directory}"'

/** Its topics are made with as many partitions as those of the log have, since a handler keeps a state for each. */
const kafka = `{ transport: "@leat/kafkajs", brokers: "\${env:KAFKA_BROKERS}" }`

/** A route document as it is written. */
export interface Document {
  readonly text: string
  /** Whether the job names the directory of its log, because the document leaves it open. */
  readonly takesDirectory: boolean
}

/** The document that the arguments ask for: that of `--config`, else the one beside the others for the transport. */
export function documentFor({ config, transport = "log", directory, moves, movesToKafka }: JobArguments): Document {
  const text = moves
    ? documentOfMove({ version: 1, place: "local", secondIsKafka: movesToKafka })
    : readFileSync(config ?? new URL(`../../routes.${transport}.yaml`, import.meta.url), "utf8")
  const takesDirectory = text.includes(placeholder)
  if (directory !== undefined && !takesDirectory)
    throw new Misuse(
      `--directory: the document of --config says itself where its log is, or write ${placeholder} there`
    )
  return { text, takesDirectory }
}

/** The document with a directory in it. A string of JSON is one of YAML. */
export function placedAt({ text }: Document, directory: string): string {
  return text
    .replaceAll(placeholder, () => JSON.stringify(directory))
    .replaceAll(secondFolder, () => JSON.stringify(join(directory, "second")))
}

/** Where the streams of a job with `--move` are written. */
export interface MovePlace {
  readonly version: number
  readonly place: "local" | "second"
  readonly secondIsKafka: boolean
}

/** The document that has them there; the directory is open still. */
export function documentOfMove({ version, place, secondIsKafka }: MovePlace): string {
  // Topics of a Kafka stay when a run is over, and the next one has others.
  const prefix = secondIsKafka && place === "second" ? `leat-demo-${randomBytes(4).toString("hex")}.` : ""
  const text = readFileSync(new URL("../../routes.move.yaml", import.meta.url), "utf8")
  const placed = text
    .replace(/^version: 1$/m, `version: ${version}`)
    .replaceAll("cluster: local,", `cluster: ${place},`)
    .replaceAll("{stream}", `${prefix}{stream}`)
  return secondIsKafka ? placed.replace(/^ {2}second: .*$/m, () => `  second: ${kafka}`) : placed
}
