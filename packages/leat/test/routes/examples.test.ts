import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { decodeDocument } from "../../src/routes/decodeDocument.js"
import { examples } from "../../src/routes/examples.js"
import { objects } from "../../src/routes/RouteDocument.js"

/** A document that has every field. */
const whole = {
  version: 1,
  clusters: { local: { transport: "memory" } },
  policies: {
    p: [
      {
        on: ["passing"],
        timeout: "1 s",
        retry: { times: 1, deadline: "1 s", base: "1 s", factor: 2, maxDelay: "1 s", jitter: 0.1, budget: 0.1 },
        then: "halt"
      }
    ]
  },
  routes: [
    {
      match: { stream: "*", source: "a" },
      level: "stored",
      partitioner: "bucket",
      objective: { loss: 0.001, window: "1 day" },
      to: [
        {
          cluster: "local",
          topic: "t",
          read: true,
          required: true,
          canary: { buckets: "0-9%" },
          wire: "compact",
          policy: ["p"],
          spill: { cluster: "disk", bytes: 1, rate: 1, age: "1 s" },
          breaker: { failureRate: 0.5, window: "1 s", minSends: 1, wait: "1 s", maxWait: "1 s" },
          fallback: { cluster: "second", back: "stay" },
          buffer: { bytes: 1, overflow: "block" },
          linger: "1 s",
          batch: { bytes: 1, records: 1 },
          timeout: "1 s",
          epoch: 1
        },
        { cluster: "c", topic: "{stream}", fallback: [{ cluster: "c", back: "stay" }] }
      ]
    }
  ],
  subscriptions: [
    {
      match: { stream: "*", group: "g" },
      policy: ["p"],
      from: { time: "2026-11-24" },
      concurrency: 1,
      buffer: { bytes: 1 },
      settleEvery: "1 s",
      drain: "1 s",
      crashLoop: 1,
      dedupe: { records: 1 },
      retryTopics: { delays: ["1 s"] }
    }
  ]
}

type Path = ReadonlyArray<string>

function places(value: object, path: Path = []): ReadonlyArray<Path> {
  return Object.entries(value).flatMap(([key, item]) => {
    const at = [...path, key]
    return [at, ...(typeof item === "object" ? places(item, at) : [])]
  })
}

const paths = places(whole)

function valueAt(path: Path): unknown {
  return path.reduce<unknown>((value, key) => Reflect.get(Object(value), key), whole)
}

function withValue(path: Path, value: unknown): unknown {
  const copy = structuredClone(whole)
  const parent = path.slice(0, -1).reduce<unknown>((at, key) => Reflect.get(Object(at), key), copy)
  Reflect.set(Object(parent), path.at(-1) ?? "", value)
  return copy
}

/** As `#` for an index and `*` for a name. */
const placeOf = (path: Path) =>
  path
    .map((key, index) => (index === 1 && /^(clusters|policies)$/.test(path[0] ?? "") ? "*" : key.replace(/^\d+$/, "#")))
    .join(".")

describe("what a field may be", () => {
  it("is asked of every field that there is", () => {
    expect(decodeDocument(whole).faults).toEqual([])
    const asked = new Set(paths.map(placeOf))
    const all = Array.from(objects).flatMap(([place, [, fields]]) =>
      fields.filter((field) => !field.includes(" ")).map((field) => (place === "" ? field : `${place}.${field}`))
    )
    expect(all.filter((place) => !asked.has(place))).toEqual([])
  })

  it.each(paths.map((path) => [path.join("."), path] as const))(
    "is in the sentence about a value of another kind: %s",
    (_, path) => {
      const value = typeof valueAt(path) === "number" ? "10MB" : 5
      const { faults } = decodeDocument(withValue(path, value))
      expect(faults).toHaveLength(1)
      expect(faults[0]?.message).toMatch(/ must be .* as \S| must be true or false$| is none of \S+, /)
    }
  )

  it.each(Array.from(examples))("can be said as it is in the sentence: %s", (place, example) => {
    const path = paths.find((one) => placeOf(one) === place) ?? []
    const said: unknown = parse(example.replace(/^(.* )?as /, ""))
    expect(decodeDocument(withValue(path, said)).faults).toEqual([])
  })

  it("is a number as YAML has them", () => {
    const { faults } = decodeDocument(withValue(["routes", "0", "to", "0", "spill", "bytes"], "10_000_000_000"))
    expect(faults).toEqual([
      {
        path: "routes[0].to[0].spill.bytes",
        message: "is a text, and must be a number of bytes, as 10000000; write it without _"
      }
    ])
  })

  it.each([
    [["p"], "dropp is none of drop, deadLetter, spill, fallback, halt; did you mean drop?"],
    [["strict"], "dropp is none of drop, deadLetter, halt; did you mean drop?"]
  ])("names the endings that are possible: a leg has %s", (policy, message) => {
    const document = structuredClone(whole)
    Object.assign(document.routes[0]?.to[0] ?? {}, { policy })
    Object.assign(document.policies.p[0] ?? {}, { then: "dropp" })
    expect(decodeDocument(document).faults).toEqual([{ path: "policies.p[0].then", message }])
  })
})
