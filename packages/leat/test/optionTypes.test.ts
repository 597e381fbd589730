import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type {
  Audit,
  ControlOptions,
  ControlTools,
  DeadLetters,
  EventContext,
  HandleBatchOptions,
  HandleOptions,
  Inbox,
  LeatOptions,
  Policy,
  PublishOptions,
  RoutesFile,
  SubscribeOptions
} from "leat"
import { open } from "leat/promise"
import type {
  OpenOptions,
  PromiseHandleBatchOptions,
  PromiseHandleOptions,
  PromiseInbox,
  PromisePublishOptions,
  PromiseSubscribeOptions,
  WaitOptions
} from "leat/promise"
import { describe, expect, it } from "vitest"
import type { MemoryOptions } from "../src/transport/memory/MemoryTransport.ts"
import type { CompileOptions } from "../src/routes/Routes.ts"
import { noteContract } from "./contracts/Note.js"

/** Undefined in place of each property that may be absent. */
type Undefined<T> = { readonly [Name in keyof T]: object extends Pick<T, Name> ? undefined : T[Name] }

/** Whoever has `X | undefined` in the hand gives it as it is, also with `exactOptionalPropertyTypes`. */
type Takes<T> = Undefined<T> extends T ? true : false

type Given<T> = Exclude<T, undefined>

const taken: {
  readonly AuditOptions: Takes<Audit.AuditOptions>
  readonly CompileOptions: Takes<CompileOptions>
  readonly ControlOptions: Takes<ControlOptions>
  readonly DropOptions: Takes<DeadLetters.DropOptions>
  readonly HandleBatchOptions: Takes<HandleBatchOptions>
  readonly HandleOptions: Takes<HandleOptions>
  readonly LeatOptions: Takes<LeatOptions>
  readonly ListOptions: Takes<DeadLetters.ListOptions>
  readonly MemoryOptions: Takes<MemoryOptions>
  readonly OpenOptions: Takes<OpenOptions>
  readonly PromiseHandleBatchOptions: Takes<PromiseHandleBatchOptions>
  readonly PromiseHandleOptions: Takes<PromiseHandleOptions>
  readonly PromisePublishOptions: Takes<PromisePublishOptions>
  readonly PromiseSubscribeOptions: Takes<PromiseSubscribeOptions>
  readonly PublishOptions: Takes<PublishOptions>
  readonly ReplayOptions: Takes<DeadLetters.ReplayOptions>
  readonly StreamAuditOptions: Takes<Audit.StreamAuditOptions>
  readonly SubscribeOptions: Takes<SubscribeOptions>
  readonly WaitOptions: Takes<WaitOptions>
  readonly WatchOptions: Takes<ControlTools.WatchOptions>
} = {
  AuditOptions: true,
  CompileOptions: true,
  ControlOptions: true,
  DropOptions: true,
  HandleBatchOptions: true,
  HandleOptions: true,
  LeatOptions: true,
  ListOptions: true,
  MemoryOptions: true,
  OpenOptions: true,
  PromiseHandleBatchOptions: true,
  PromiseHandleOptions: true,
  PromisePublishOptions: true,
  PromiseSubscribeOptions: true,
  PublishOptions: true,
  ReplayOptions: true,
  StreamAuditOptions: true,
  SubscribeOptions: true,
  WaitOptions: true,
  WatchOptions: true
}

/** What options are made of, and options by other names. */
const parts: {
  readonly EventContext: Takes<EventContext>
  readonly Inbox: Takes<Inbox.Inbox>
  readonly "ledger of LeatOptions": Takes<Given<LeatOptions["ledger"]>>
  readonly PromiseInbox: Takes<PromiseInbox<unknown>>
  readonly Retry: Takes<Policy.Retry>
  readonly RoutesFile: Takes<RoutesFile>
  readonly Rule: Takes<Policy.Rule>
  readonly ToolTable: Takes<ControlTools.ToolTable>
} = {
  EventContext: true,
  Inbox: true,
  "ledger of LeatOptions": true,
  PromiseInbox: true,
  Retry: true,
  RoutesFile: true,
  Rule: true,
  ToolTable: true
}

const source = join(import.meta.dirname, "../src")

/** Names of options that a module gives to whoever imports it, those of the modules that it gives on included. */
function optionsOf(path: string): ReadonlyArray<string> {
  const text = readFileSync(path, "utf8")
  const own = Array.from(text.matchAll(/^export (?:interface|type) (\w+Options)\b/gm), ([, name]) => name ?? "")
  const given = Array.from(text.matchAll(/^export (?:type )?\{([^}]*)\} from/gm), ([, names]) => names ?? "")
  const named = given.flatMap((names) => Array.from(names.matchAll(/\b(\w+Options)\b/g), ([, name]) => name ?? ""))
  const all = Array.from(text.matchAll(/^export \*.* from "(\.[^"]+)"/gm), ([, module]) => module ?? "")
  return [...own, ...named, ...all.flatMap((module) => optionsOf(join(dirname(path), module)))]
}

describe("options", () => {
  it("may be undefined where they may be absent, whatever they are called", () => {
    const all = ["index.ts", "promise/index.ts", "contract/Contract.ts"].flatMap((path) =>
      optionsOf(join(source, path))
    )
    expect(all).toContain("PromiseHandleOptions")
    expect(new Set(all).difference(new Set(Object.keys(taken)))).toEqual(new Set())
    expect(Object.values(parts)).not.toContain(false)
  })

  it("are as if they were absent where they are undefined", async () => {
    const leat = await open({
      source: "test",
      routes: undefined,
      control: undefined,
      drivers: undefined,
      contracts: undefined,
      ledger: undefined,
      journal: undefined,
      buffers: undefined,
      drain: undefined
    })
    const notes = await leat.stream(noteContract())
    const seen: Array<string> = []
    const policy = [
      {
        on: ["*"],
        retry: {
          baseMs: 1,
          times: undefined,
          deadlineMs: undefined,
          factor: undefined,
          maxDelayMs: undefined,
          jitter: undefined,
          budget: undefined
        },
        timeoutMs: undefined,
        then: "drop"
      },
      { on: ["Timeout"], retry: undefined, then: "halt" }
    ] as const
    const common = {
      from: undefined,
      dedupe: undefined,
      inbox: undefined,
      retryTopics: undefined,
      onTombstone: undefined,
      signal: undefined
    }
    const one = await notes.handle("one", ({ text }) => seen.push(text), { ...common, concurrency: undefined, policy })
    const none = { ...common, policy: undefined }
    const many = await notes.handleBatch("many", (all) => void seen.push(...all.map(({ event }) => event.text)), {
      ...none,
      records: undefined,
      waitMs: undefined
    })
    const said = {
      level: undefined,
      signal: undefined,
      traceparent: undefined,
      tracestate: undefined,
      baggage: undefined,
      correlationId: undefined,
      causationId: undefined,
      cause: undefined,
      headers: undefined
    }
    await notes.publish({ key: "k", text: "0" }, said)
    expect((await notes.publishAll([{ key: "k", text: "1" }], said)).rejected).toEqual([])
    const { level: _, signal: __, ...context } = said
    expect(notes.offer({ key: "k", text: "2" }, context)).toEqual({ admitted: true })
    await leat.flush({ signal: undefined })
    await one.caughtUp({ signal: undefined })
    await many.caughtUp()
    expect(seen.toSorted()).toEqual(["0", "0", "1", "1", "2", "2"])
    await leat.close()
  })
})
