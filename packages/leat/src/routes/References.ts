/**
 * Reads what the references of a cluster section stand for: environment variables and files. The only place of leat that
 * touches either; tests give other readers. What was read goes to the driver, and nowhere else.
 */
import { createReadStream } from "node:fs"
import { Context, Effect } from "effect"
import { parseReferenceText, type Reference } from "../transport/ReferenceText.ts"
import type { RouteFault } from "./RouteDocument.ts"
import { mapTexts, type SectionText, textsOf } from "./configStrings.ts"
import type { ClusterConfig } from "../transport/index.ts"

/** Where references are read from. */
export interface ReferenceReaders {
  /** Undefined: the variable is not set. */
  readonly variable: (name: string) => string | undefined
  /** The text of a file, a relative path against the working directory; fails with what to say after its name. */
  readonly file: (path: string) => Effect.Effect<string, string>
}

/** Largest file read, in bytes: certificates and tokens are far below it. */
const fileBytesMax = 1024 * 1024

/** The readers in force: this process and its machine, unless a test gives others. */
export const References = Context.Reference<ReferenceReaders>("leat/References", {
  defaultValue: () => ({
    variable: (name) => process.env[name],
    file: (path) => Effect.tryPromise({ try: (signal) => readText(path, signal), catch: wordsOf })
  })
})

/** A section with its references resolved. */
export interface ResolvedSection {
  readonly config: ClusterConfig
  /** What was read, and in the place of which reference: what no error may say. */
  readonly read: ReadonlyMap<string, string>
}

/** Every reference that cannot be one, as faults of the section. */
export function malformedReferences(config: ClusterConfig): ReadonlyArray<RouteFault> {
  return textsOf(config).flatMap(({ path, text }) => {
    const parsed = parseReferenceText(text)
    return "fault" in parsed ? [{ path, message: parsed.fault }] : []
  })
}

/** Whether something of it may stand for something else. */
export function hasReferences(config: ClusterConfig): boolean {
  return textsOf(config).some(({ text }) => text.includes("${"))
}

/** Reads each reference once, and puts what it says in its place; fails with every one that cannot be read. */
export function resolveReferences(
  config: ClusterConfig,
  readers: ReferenceReaders
): Effect.Effect<ResolvedSection, ReadonlyArray<RouteFault>> {
  const texts = textsOf(config)
  if (!hasReferences(config)) return Effect.succeed({ config, read: new Map() })
  return Effect.gen(function* () {
    const values = new Map<string, string>()
    const faults: Array<RouteFault> = []
    for (const { path, reference } of texts.flatMap(referencesOf)) {
      const written = writtenAs(reference)
      if (values.has(written)) continue
      const told = yield* Effect.result(valueOf(reference, readers))
      if (told._tag === "Success") values.set(written, told.success)
      else faults.push({ path, message: told.failure })
    }
    if (faults.length > 0) return yield* Effect.fail(faults)
    const resolved = mapTexts(config, (text) =>
      piecesOf(text)
        .map((piece) => (typeof piece === "string" ? piece : (values.get(writtenAs(piece)) ?? "")))
        .join("")
    )
    return { config: resolved, read: new Map(Array.from(values, ([written, value]) => [value, written])) }
  })
}

const writtenAs = ({ kind, name }: Reference): string => `\${${kind}:${name}}`

/** A malformed text has no pieces to resolve: it was refused when the document was compiled. */
function piecesOf(text: string): ReadonlyArray<string | Reference> {
  const parsed = parseReferenceText(text)
  return "pieces" in parsed ? parsed.pieces : [text]
}

function referencesOf({ path, text }: SectionText) {
  return piecesOf(text).flatMap((piece) => (typeof piece === "string" ? [] : [{ path, reference: piece }]))
}

function valueOf({ kind, name }: Reference, readers: ReferenceReaders): Effect.Effect<string, string> {
  if (kind === "file") {
    return readers.file(name).pipe(
      // Editors end a file with a line feed that belongs to no secret.
      Effect.map((text) => text.replace(/\r?\n$/, "")),
      Effect.mapError((words) => `the file ${name} ${words}; correct the path, or put the file there`)
    )
  }
  const value = readers.variable(name)
  if (value !== undefined) return Effect.succeed(value)
  return Effect.fail(`the environment variable ${name} is not set; set it where this process is started`)
}

async function readText(path: string, signal: AbortSignal): Promise<string> {
  const parts: Array<Uint8Array> = []
  // One byte more than the limit, so that more than the limit is seen.
  for await (const part of createReadStream(path, { end: fileBytesMax, signal })) parts.push(part as Uint8Array)
  const bytes = Buffer.concat(parts)
  if (bytes.length > fileBytesMax) throw Object.assign(new Error("too large"), { code: "EFBIG" })
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
}

/** By code: messages of the file system may say more than the path. */
function wordsOf(error: unknown): string {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code"
  return (
    {
      ENOENT: "is not there",
      EACCES: "may not be read by this user",
      EISDIR: "is a directory",
      EFBIG: `is larger than ${fileBytesMax} bytes`,
      ERR_ENCODING_INVALID_ENCODED_DATA: "is not UTF-8 text"
    }[code] ?? `cannot be read (${code})`
  )
}
