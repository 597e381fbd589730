/**
 * How two documents differ, by the places of what differs. Order counts in lists of routes and rules, where the first that matches decides: an entry that
 * has another place is one that goes and one that comes. Entries are the same one when they are about the same thing, as two routes with one `match`.
 */

export interface Difference {
  /** `routes[0].to[1].linger`: in the new document; of what goes, in the old one. */
  readonly path: string
  readonly change: "added" | "removed" | "changed"
  readonly before?: unknown
  readonly after?: unknown
}

type Values = Readonly<Record<string, unknown>>

/** What differs, in the order of the new document. */
export function documentDifference(before: unknown, after: unknown, path = ""): ReadonlyArray<Difference> {
  if (Array.isArray(before) && Array.isArray(after)) return listDifference(before, after, path)
  if (isValues(before) && isValues(after)) {
    const names = [...new Set([...Object.keys(after), ...Object.keys(before)])]
    return names.flatMap((name) => {
      const at = path === "" ? name : `${path}.${name}`
      if (!Object.hasOwn(before, name)) return [{ path: at, change: "added", after: after[name] } as const]
      if (!Object.hasOwn(after, name)) return [{ path: at, change: "removed", before: before[name] } as const]
      return documentDifference(before[name], after[name], at)
    })
  }
  return isSame(before, after) ? [] : [{ path, change: "changed", before, after }]
}

function listDifference(
  before: ReadonlyArray<unknown>,
  after: ReadonlyArray<unknown>,
  path: string
): ReadonlyArray<Difference> {
  const pairs = pairsOf(before.map(subjectOf), after.map(subjectOf))
  return pairs.flatMap(([was, is]) => {
    if (was === undefined) return [{ path: `${path}[${is}]`, change: "added", after: after[is ?? 0] } as const]
    if (is === undefined) return [{ path: `${path}[${was}]`, change: "removed", before: before[was] } as const]
    return documentDifference(before[was], after[is], `${path}[${is}]`)
  })
}

/** What an entry of a list is about, as text. */
function subjectOf(entry: unknown): string {
  if (!isValues(entry)) return JSON.stringify(entry)
  const { match, cluster, topic, on } = entry
  if (match !== undefined) return JSON.stringify(sorted(match))
  if (cluster !== undefined && topic !== undefined) return JSON.stringify([cluster, topic])
  return JSON.stringify(on === undefined ? sorted(entry) : ["on", on])
}

type Pair = readonly [was: number | undefined, is: number | undefined]

/** Entries that are compared each with each: above it, those between what both begin and end with go and come. */
const comparedMax = 4_000_000

function pairsOf(before: ReadonlyArray<string>, after: ReadonlyArray<string>): ReadonlyArray<Pair> {
  const shorter = Math.min(before.length, after.length)
  let first = 0
  while (first < shorter && before[first] === after[first]) first++
  let last = 0
  while (last < shorter - first && before.at(-1 - last) === after.at(-1 - last)) last++
  const [were, are] = [before.slice(first, before.length - last), after.slice(first, after.length - last)]
  const middle = were.length * are.length > comparedMax ? exchanged(were.length, are.length) : kept(were, are)
  return [
    ...Array.from({ length: first }, (_, index): Pair => [index, index]),
    ...middle.map(([was, is]): Pair => [was === undefined ? was : was + first, is === undefined ? is : is + first]),
    ...Array.from({ length: last }, (_, index): Pair => [before.length - last + index, after.length - last + index])
  ]
}

function exchanged(were: number, are: number): ReadonlyArray<Pair> {
  return [
    ...Array.from({ length: were }, (_, index): Pair => [index, undefined]),
    ...Array.from({ length: are }, (_, index): Pair => [undefined, index])
  ]
}

/** The longest common part stays; what is left goes or comes, at its place. */
function kept(before: ReadonlyArray<string>, after: ReadonlyArray<string>): ReadonlyArray<Pair> {
  const width = after.length + 1
  // `common[was * width + is]`: how many stay of the entries from there on.
  const common = new Uint32Array((before.length + 1) * width)
  const at = (was: number, is: number): number => common[was * width + is] ?? 0
  for (let was = before.length - 1; was >= 0; was--)
    for (let is = after.length - 1; is >= 0; is--)
      common[was * width + is] =
        before[was] === after[is] ? at(was + 1, is + 1) + 1 : Math.max(at(was + 1, is), at(was, is + 1))
  const pairs: Array<Pair> = []
  let [was, is] = [0, 0]
  while (was < before.length || is < after.length)
    if (was < before.length && is < after.length && before[was] === after[is]) pairs.push([was++, is++])
    else if (is >= after.length || (was < before.length && at(was + 1, is) >= at(was, is + 1)))
      pairs.push([was++, undefined])
    else pairs.push([undefined, is++])
  return pairs
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))
}

/** With the keys of objects in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isValues(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .toSorted()
      .map((name) => [name, sorted(value[name])])
  )
}

function isValues(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
