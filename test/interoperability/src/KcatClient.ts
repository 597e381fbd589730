import { Buffer } from "node:buffer"
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import {
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJson
} from "@bufbuild/protobuf"
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt"
import type { ForeignClient, ForeignEvent, ForeignHeader, ForeignRecord } from "./ForeignClient.ts"
import type { Program } from "./programs/Program.ts"

const answerMsMax = 30_000
/** No key and no value of a test has these bytes in it. */
const behindKey = "<end of key>"
const behindRecord = "<end of record>"

/** One line of `kcat -J`, a character for each byte. */
interface KcatLine {
  readonly partition: number
  readonly offset: number
  readonly ts: number
  readonly key: string | null
  readonly payload: string | null
  readonly headers?: ReadonlyArray<string | null>
}

/** kcat moves bytes and knows nothing of protobuf; what they mean, protobuf-es finds in the descriptors. */
export class KcatClient implements ForeignClient {
  readonly #program: Program
  readonly #bootstrap: string
  readonly #registry: FileRegistry

  constructor(program: Program, bootstrap: string, descriptorSet: string) {
    this.#program = program
    this.#bootstrap = bootstrap
    this.#registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptorSet)))
  }

  async read(topic: string, type: string): Promise<ReadonlyArray<ForeignRecord>> {
    const desc = this.#desc(type)
    const told = await this.#run(
      ["-C", "-t", topic, "-J", "-e", "-q", "-o", "beginning", "-X", "fetch.wait.max.ms=10"],
      ""
    )
    // kcat copies bytes into JSON as they are.
    const lines = told
      .toString("latin1")
      .split("\n")
      .filter((line) => line !== "")
    const read = lines.map((line): ForeignRecord => {
      const { partition, offset, ts, key, payload, headers = [] } = JSON.parse(line) as KcatLine
      const value =
        payload === null ? null : toJson(desc, fromBinary(desc, bytesOf(payload)), { useProtoFieldName: true })
      const named = Array.from({ length: headers.length / 2 }, (_, index): ForeignHeader => {
        const text = headers[index * 2 + 1] ?? null
        return [bytesOf(headers[index * 2] ?? "").toString(), text === null ? null : bytesOf(text)]
      })
      return { partition, offset, timeMs: ts, key: key === null ? null : bytesOf(key), headers: named, value }
    })
    return read.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
  }

  /** One run of kcat for all; its headers are the same for all of a run, so that tests give it none. */
  async write(
    topic: string,
    type: string,
    events: ReadonlyArray<ForeignEvent>,
    partitioner = "consistent_random"
  ): Promise<void> {
    const desc = this.#desc(type)
    const input = events.flatMap(({ key, value, headers = [] }) => {
      if (key === null || headers.length > 0) throw new Error("kcat publishes with keys and without headers here")
      const bytes = value === null ? "" : toBinary(desc, fromJson(desc, value))
      return [key, behindKey, bytes, behindRecord].map((part) => Buffer.from(part))
    })
    const args = ["-P", "-t", topic, "-X", `partitioner=${partitioner}`, "-K", behindKey, "-D", behindRecord, "-Z"]
    await this.#run(args, Buffer.concat(input))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #desc(type: string): DescMessage {
    const desc = this.#registry.getMessage(type)
    if (desc === undefined) throw new Error(`the descriptors have no ${type}`)
    return desc
  }

  async #run(args: ReadonlyArray<string>, input: string | Uint8Array): Promise<Buffer> {
    const { command, environment } = this.#program
    const env = { ...process.env, ...environment }
    const kcat = spawn(command, ["-b", this.#bootstrap, ...args], { env, timeout: answerMsMax, killSignal: "SIGKILL" })
    const told: Array<Buffer> = []
    let stderr = ""
    kcat.stdout.on("data", (part: Buffer) => told.push(part))
    kcat.stderr.on("data", (part: Buffer) => (stderr += part.toString()))
    kcat.stdin.on("error", () => undefined)
    kcat.stdin.end(input)
    const ended = Promise.withResolvers<number | null>()
    kcat.once("error", ended.reject)
    kcat.once("close", ended.resolve)
    const code = await ended.promise
    if (code !== 0) throw new Error(`kcat ended with ${code}: ${stderr}`)
    return Buffer.concat(told)
  }
}

const bytesOf = (latin1: string) => Buffer.from(latin1, "latin1")
