import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

/**
 * What a user of a published package can import is documented where it is declared: a docstring on each export and on each
 * public method, and an example of each function, class and constant, on itself or in the header of its module.
 */

const root = fileURLToPath(new URL("..", import.meta.url))
const published = ["leat", "log", "kafka", "kafkajs", "confluent", "protoc-gen-leat"]

/** Functions that only generated code calls need no example. */
const calledByGeneratedCode = /^packages\/leat\/src\/codec\//

interface Declaration {
  readonly path: string
  readonly name: string
  readonly kind: string
  /** Its docstring; undefined: it has none. */
  readonly doc: string | undefined
  /** What a class declares that everybody may call, and has no docstring. */
  readonly silent: ReadonlyArray<string>
}

const linesOf = (path: string): ReadonlyArray<string> => readFileSync(join(root, path), "utf8").split("\n")

/** The docstring that ends on the line before `index`. */
function docAbove(lines: ReadonlyArray<string>, index: number): string | undefined {
  if (lines[index - 1]?.endsWith("*/") !== true) return undefined
  const first = lines.findLastIndex((line, at) => at < index && line.trimStart().startsWith("/**"))
  return first < 0 ? undefined : lines.slice(first, index).join("\n")
}

/** What opens a file, unless it is the docstring of a declaration. */
function headerOf(lines: ReadonlyArray<string>): string {
  const end = lines.findIndex((line) => line.endsWith("*/"))
  const isHeader =
    lines[0]?.startsWith("/**") === true &&
    !/^(export )?(const|function|class|interface|type)\b/.test(lines[end + 1] ?? "")
  return isHeader ? lines.slice(0, end + 1).join("\n") : ""
}

const declaring = /^export (?:declare |abstract |async )*(const|function|class|interface|type) ?\*? ?(\w+)/
/** A public member of a class, which oxfmt indents by two. */
const member =
  /^ {2}(?:(?:static|readonly|async|get) |\*)*(?!(?:constructor|override|private|protected|static|readonly|async|get)\b)(\w+|\[Symbol\.\w+\])(?=[ (<:=!?])/

function declarationsOf(path: string): ReadonlyArray<Declaration> {
  const lines = linesOf(path)
  return lines.flatMap((line, index): ReadonlyArray<Declaration> => {
    const [, kind, name] = declaring.exec(line) ?? []
    if (kind === undefined || name === undefined) return []
    const end = lines.findIndex((later, at) => at >= index && later.startsWith("}"))
    const silent =
      kind === "class"
        ? lines.flatMap((text, at) => {
            const [, found] = at > index && at < end ? (member.exec(text) ?? []) : []
            return found === undefined || docAbove(lines, at) !== undefined ? [] : [`${name}.${found}`]
          })
        : []
    return [{ path, name, kind, doc: docAbove(lines, index), silent }]
  })
}

const passing = /^export (?:type )?(\*(?: as \w+)?|\{[^}]*\}) from "([^"]+)"$/gm

/** What can be imported from a module: what it declares, and what it passes on from other modules of its package. */
function exportsOf(path: string): ReadonlyArray<Declaration> {
  const text = linesOf(path)
    .join("\n")
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
  const unread = text
    .replaceAll(passing, "")
    .split("\n")
    .filter((line) => line.startsWith("export ") && !declaring.test(line))
  if (unread.length > 0) throw new Error(`${path} exports in a form that is not read here: ${unread.join(", ")}`)
  const passed = [...text.matchAll(passing)].flatMap(([, what = "", from = ""]) => {
    if (!from.startsWith(".")) return []
    const found = exportsOf(join(dirname(path), from))
    if (what.startsWith("*")) return found
    const names = [...what.matchAll(/(?:type )?(\w+)(?: as \w+)?/g)].map(([, name = ""]) => name)
    const missing = names.filter((name) => found.every((one) => one.name !== name))
    if (missing.length > 0) throw new Error(`${path} passes on ${missing.join(", ")}, which was not found in ${from}`)
    return found.filter(({ name }) => names.includes(name))
  })
  return [...declarationsOf(path), ...passed]
}

function entriesOf(name: string): ReadonlyArray<string> {
  const manifest = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, { readonly "@leat/source": string }>>
  }
  return Object.values(manifest.exports).map((entry) => join("packages", name, entry["@leat/source"]))
}

/** Every export once, however many entries lead to it. */
const exported = new Map(
  published
    .flatMap(entriesOf)
    .flatMap(exportsOf)
    .map((one) => [`${one.path} ${one.kind} ${one.name}`, one])
)

describe("what a published package exports", () => {
  it("is found: every entry is there, and leads to declarations", () => {
    for (const entry of published.flatMap(entriesOf)) {
      expect({ entry, isThere: existsSync(join(root, entry)), exports: exportsOf(entry).length > 0 }).toEqual({
        entry,
        isThere: true,
        exports: true
      })
    }
  })

  it("has a docstring", () => {
    const silent = [...exported].filter(([, { doc }]) => doc === undefined).map(([where]) => where)
    expect(silent).toEqual([])
  })

  it("has one on every public member of a class", () => {
    const silent = [...exported.values()].flatMap(({ path, silent: members }) =>
      members.map((name) => `${path} ${name}`)
    )
    expect(silent).toEqual([])
  })

  it("is shown in an example, where it is a function, a class or a constant", () => {
    const unshown = [...exported]
      .filter(([, { path, kind, doc = "" }]) => {
        if (kind === "interface" || kind === "type" || calledByGeneratedCode.test(path)) return false
        return !`${doc}${headerOf(linesOf(path))}`.includes("@example")
      })
      .map(([where]) => where)
    expect(unshown).toEqual([])
  })
})
