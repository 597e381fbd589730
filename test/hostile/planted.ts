import type { Mutant } from "../../packages/leat/test/mutants/Mutant.ts"

/** Bugs that hostile inputs have to find, planted one at a time into the sources of leat. `isOfTopics`: hostile records in topics have to find it. */
type Planted = Mutant & { readonly isOfTopics?: boolean }

export const planted: ReadonlyArray<Planted> = [
  {
    name: "what is set aside is counted twice",
    file: "consume/ReadLane.ts",
    find: `    this.#count(end, held.span)
    const { following } = held`,
    replace: `    this.#count(end, end.term === "deadLettered" ? 2 * held.span : held.span)
    const { following } = held`,
    isOfTopics: true
  },
  {
    name: "a payload's faults are passed on as they are thrown",
    file: "codec/readMessages.ts",
    find: `throw new MalformedEvent(name, reader.pos, error instanceof Error ? error.message : String(error))`,
    replace: `throw error`
  },
  {
    name: "a message of an event may be anything",
    file: "codec/writeMessages.ts",
    find: `if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidEvent(path, value, "a message")`,
    replace: `if (value === undefined) {
    throw new InvalidEvent(path, value, "a message")`
  },
  {
    name: "a range of drops may end before it begins",
    file: "record/DropNotice.ts",
    find: `const isRange = from < to && `,
    replace: `const isRange = `
  },
  {
    name: "two texts are one id",
    file: "record/EventId.ts",
    find: `(0|[1-9]\\d{0,15})$/`,
    replace: `(0|[1-9]\\d{0,15})/`
  },
  {
    name: "text of a dead letter that is no JSON is thrown on",
    file: "record/DeadLetter.ts",
    find: `  } catch {
    return {}
  }`,
    replace: `  } catch (error) {
    throw error
  }`
  },
  {
    name: "holes of a policy are passed over",
    file: "Policy.ts",
    find: `return [...rules].flatMap((rule`,
    replace: `return rules.flatMap((rule`
  },
  {
    name: "a repaired document is written into the prototype of all objects",
    file: "routes/decodeDocument.ts",
    find: `  const name = String(key)
`,
    replace: `  const name = String(key)
  Object.assign(Object.prototype, { polluted: name })
`
  },
  {
    name: "names of headers are kept for ever",
    file: "record/Headers.ts",
    find: `const bytes = Uint8Array.from(source.subarray(from, to))`,
    replace: `const bytes = new Uint8Array(1 << 20).subarray(0, to - from)
  names.push({ bytes, text: "" })
  bytes.set(source.subarray(from, to))`
  },
  {
    name: "headers are as many as their count says",
    file: "record/Headers.ts",
    find: `left > 0 && position < source.length`,
    replace: `left > 0`
  }
]

export function plantedCalled(name: string): Mutant {
  const found = planted.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no planted bug "${name}"`)
  return found
}
