import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { inspectSection } from "../src/ClusterSection.ts"

const brokers = "k1:9092"
/** Sections that have every field. */
const sections: ReadonlyArray<object> = [
  {
    brokers,
    clientId: "a",
    tls: { ca: "${env:A}", cert: "${env:A}", key: "${env:A}", passphrase: "${env:A}", serverName: "a", verify: true },
    sasl: { mechanism: "PLAIN", username: "a", password: "${env:A}" },
    recordBytesMax: 1000,
    topic: { partitions: 1, replicationFactor: 1 },
    sessionMs: 6000,
    connectMs: 100,
    requestMs: 1000
  },
  {
    brokers,
    sasl: {
      mechanism: "OAUTHBEARER",
      tokenEndpoint: "https://a/b",
      clientId: "a",
      clientSecret: "${env:A}",
      scope: "a"
    }
  },
  { brokers, sasl: { mechanism: "OAUTHBEARER", token: "${env:A}" } }
]

type Path = ReadonlyArray<string>

function places(value: object, path: Path = []): ReadonlyArray<Path> {
  return Object.entries(value).flatMap(([key, item]) => {
    const at = [...path, key]
    return [at, ...(typeof item === "object" ? places(item, at) : [])]
  })
}

function withValue(section: object, path: Path, value: unknown): Record<string, unknown> {
  const copy = structuredClone(section)
  const parent = path.slice(0, -1).reduce<unknown>((at, key) => Reflect.get(Object(at), key), copy)
  Reflect.set(Object(parent), path.at(-1) ?? "", value)
  return { ...copy }
}

const all = sections.flatMap((section) => places(section).map((path) => [path.join("."), section, path] as const))

function issuesOf(section: Record<string, unknown>): ReadonlyArray<string> {
  const inspected = inspectSection(section)
  return Result.isFailure(inspected) ? inspected.failure.map(({ path, message }) => `${path}: ${message}`) : []
}

describe("a field of a section of another kind", () => {
  it.each(all)("is told with what it may be: %s", (name, section, path) => {
    const is = typeof path.reduce<unknown>((at, key) => Reflect.get(Object(at), key), section)
    const [told = ""] = issuesOf(withValue(section, path, is === "number" ? "many" : 5))
    expect(told).toMatch(/^[\w.]+: must be ([^,]* or [A-Z]|true or false$|.*, as \S)/)
    const [, example] = /, as (.*)$/.exec(told) ?? []
    // What it says can be said there.
    const said = example === undefined ? section : withValue(section, path, parse(example))
    expect([name, issuesOf({ ...said })]).toEqual([name, []])
  })
})
