import type { DescEnum, DescFile, DescMessage } from "@bufbuild/protobuf"
import { declarations, type Global, globals, typeName } from "./names.ts"
import { wellKnown } from "./wellKnown.ts"

/** The names of one generated file: what it declares, and what it takes from others. */
export class Scope {
  readonly #file: DescFile
  readonly #extension: string
  readonly #declared: ReadonlySet<string>
  readonly #taken: Set<string>
  /** Module, then name there to name here; a name is a type when it starts with `type `. */
  readonly #imports = new Map<string, Map<string, string>>()

  constructor(file: DescFile, extension: string) {
    this.#file = file
    this.#extension = extension
    const { enums, messages } = declarations(file)
    const functions = messages.flatMap((message) => [`write${typeName(message)}`, `read${typeName(message)}`])
    this.#declared = new Set([...[...enums, ...messages].map(typeName), ...functions])
    this.#taken = new Set([...this.#declared, ...globals, "codec"])
  }

  typeOf(desc: DescMessage | DescEnum): string {
    return this.#name(desc, typeName(desc), true)
  }

  writerOf(desc: DescMessage): string {
    return this.#name(desc, `write${typeName(desc)}`, false)
  }

  readerOf(desc: DescMessage): string {
    return this.#name(desc, `read${typeName(desc)}`, false)
  }

  /** A global, whatever the file's messages are called. */
  global(name: Global): string {
    return this.#declared.has(name) ? `globalThis.${name}` : name
  }

  /** Takes a name from a module, and gives what it is called here. */
  import(module: string, name: string, isType: boolean): string {
    const imported = this.#imports.get(module) ?? new Map<string, string>()
    this.#imports.set(module, imported)
    const known = imported.get(isType ? `type ${name}` : name)
    if (known !== undefined) return known
    let local = name
    for (let count = 1; this.#taken.has(local); count++) local = `${name}$${count}`
    this.#taken.add(local)
    imported.set(isType ? `type ${name}` : name, local)
    return local
  }

  /** The import lines, sorted by module. */
  get lines(): ReadonlyArray<string> {
    return [...this.#imports]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([module, names]) => {
        const sorted = [...names].toSorted(([a], [b]) => (bare(a) < bare(b) ? -1 : 1))
        const areTypes = sorted.every(([name]) => name.startsWith("type "))
        const list = sorted.map(([name, local]) => {
          const shown = areTypes ? bare(name) : name
          return bare(name) === local ? shown : `${shown} as ${local}`
        })
        return `import ${areTypes ? "type " : ""}{ ${list.join(", ")} } from "${module}"`
      })
  }

  #name(desc: DescMessage | DescEnum, name: string, isType: boolean): string {
    if (desc.file === this.#file) return name
    return this.import(wellKnown.has(desc.typeName) ? "leat/codec" : this.#relative(desc.file.name), name, isType)
  }

  /** Module of another generated file, as seen from this one. */
  #relative(target: string): string {
    const from = this.#file.name.split("/").slice(0, -1)
    const to = target.split("/")
    while (from.length > 0 && to.length > 1 && from[0] === to[0]) {
      from.shift()
      to.shift()
    }
    const up = from.length === 0 ? "./" : "../".repeat(from.length)
    return `${up}${to.join("/")}${this.#extension}`
  }
}

function bare(name: string): string {
  return name.replace(/^type /, "")
}
