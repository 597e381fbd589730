import type { DescEnum, DescFile, DescMessage } from "@bufbuild/protobuf"
import { localName } from "./fieldTypes.ts"

const wellKnown: Readonly<Record<string, string>> = {
  "google.protobuf.Timestamp": "Timestamp",
  "google.protobuf.Duration": "Duration"
}

/** The names that one generated file takes from others. */
export class Scope {
  readonly #file: DescFile
  readonly #extension: string
  /** Module to names; a name is a type when it starts with `type `. */
  readonly #imports = new Map<string, Set<string>>()

  constructor(file: DescFile, extension: string) {
    this.#file = file
    this.#extension = extension
  }

  typeOf(desc: DescMessage | DescEnum): string {
    return this.#name(desc, localName(desc), true)
  }

  writerOf(desc: DescMessage): string {
    return this.#name(desc, `write${localName(desc)}`, false)
  }

  readerOf(desc: DescMessage): string {
    return this.#name(desc, `read${localName(desc)}`, false)
  }

  import(module: string, name: string): void {
    const names = this.#imports.get(module) ?? new Set()
    this.#imports.set(module, names.add(name))
  }

  /** The import lines, sorted by module. */
  get lines(): ReadonlyArray<string> {
    return [...this.#imports]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([module, names]) => {
        const sorted = [...names].toSorted((a, b) => (bare(a) < bare(b) ? -1 : 1))
        const areTypes = sorted.every((name) => name.startsWith("type "))
        return `import ${areTypes ? "type " : ""}{ ${(areTypes ? sorted.map(bare) : sorted).join(", ")} } from "${module}"`
      })
  }

  #name(desc: DescMessage | DescEnum, name: string, isType: boolean): string {
    if (desc.file === this.#file) return name
    const known = wellKnown[desc.typeName]
    if (known === undefined && desc.typeName.startsWith("google.protobuf.")) {
      throw new Error(
        `${this.#file.proto.name}: ${desc.typeName} is not supported; use Timestamp, Duration or a message of your own`
      )
    }
    this.import(known === undefined ? this.#relative(desc.file.name) : "leat/codec", isType ? `type ${name}` : name)
    return name
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
