import { readFileSync } from "node:fs"
import type { JobArguments } from "../arguments.ts"
import { Misuse } from "../arguments.ts"

/** What a document writes, in quotes, where the job is to name the directory. */
const placeholder = '"{directory}"'

/** A route document as it is written. */
export interface Document {
  readonly text: string
  /** Whether the job names the directory of its log, because the document leaves it open. */
  readonly takesDirectory: boolean
}

/** The document that the arguments ask for: that of `--config`, else the one beside the others for the transport. */
export function documentFor({ config, transport = "log", directory }: JobArguments): Document {
  const text = readFileSync(config ?? new URL(`../../routes.${transport}.yaml`, import.meta.url), "utf8")
  const takesDirectory = text.includes(placeholder)
  if (directory !== undefined && !takesDirectory)
    throw new Misuse(
      `--directory: the document of --config says itself where its log is, or write ${placeholder} there`
    )
  return { text, takesDirectory }
}

/** The document with a directory in it. A string of JSON is one of YAML. */
export function placedAt({ text }: Document, directory: string): string {
  return text.replaceAll(placeholder, () => JSON.stringify(directory))
}
