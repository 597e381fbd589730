/** The texts of a cluster section, wherever they stand in it; keys are not among them, and neither are values with a class. */
import { isPlain } from "../given/plain.ts"
import type { ClusterConfig } from "../transport/index.ts"

/** One text, and where: `brokers[1]`, `sasl.password`. */
export interface SectionText {
  readonly path: string
  readonly text: string
}

/** All texts of a section, each value once, however often it stands there: YAML has aliases. */
export function textsOf(config: ClusterConfig): ReadonlyArray<SectionText> {
  const found: Array<SectionText> = []
  const seen = new Set<unknown>()
  const walk = (value: unknown, path: string): void => {
    if (typeof value === "string") found.push({ path, text: value })
    if (!isPlain(value) || seen.has(value)) return
    seen.add(value)
    if (Array.isArray(value)) for (const [index, one] of value.entries()) walk(one, `${path}[${index}]`)
    else for (const [key, one] of Object.entries(value)) walk(one, path === "" ? key : `${path}.${key}`)
  }
  walk(config, "")
  return found
}

/** The section with each text replaced; what is one value in two places stays one. */
export function mapTexts(config: ClusterConfig, replace: (text: string) => string): ClusterConfig {
  const copies = new Map<unknown, unknown>()
  const copy = (value: unknown): unknown => {
    if (typeof value === "string") return replace(value)
    if (!isPlain(value)) return value
    const known = copies.get(value)
    if (known !== undefined) return known
    // Known before it is filled, because a value may contain itself.
    const made: Array<unknown> | Record<string, unknown> = Array.isArray(value) ? [] : {}
    copies.set(value, made)
    // Defined and not assigned: a key may be `__proto__`.
    for (const key of Object.keys(value)) {
      Object.defineProperty(made, key, {
        value: copy((value as Readonly<Record<string, unknown>>)[key]),
        configurable: true,
        enumerable: true,
        writable: true
      })
    }
    return made
  }
  return copy(config) as ClusterConfig
}
