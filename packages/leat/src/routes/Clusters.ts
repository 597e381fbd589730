/** The clusters of a document: who opens them, what they declare, and which of them are one place under two names. */
import { meant } from "../given/nearest.ts"
import { malformedReferences } from "./References.ts"
import type { RouteDocument, RouteFault } from "./RouteDocument.ts"
import type { Capabilities, ClusterConfig, Driver } from "../transport/index.ts"

/** A cluster of the table: who opens it, with what, and what it declares. */
export interface Cluster {
  readonly name: string
  readonly driver: Driver
  /** As it is written: with its references. */
  readonly config: ClusterConfig
  readonly capabilities: Capabilities
  /** Name of the first cluster of the document that is the same place; its own, when there is none. */
  readonly place: string
  /** How long its topics keep what nothing else is said of, in milliseconds; undefined: the section does not say. */
  readonly keepsMs?: number | undefined
}

/** Finds driver and capabilities of each cluster; reports what is wrong with the sections. */
export function compileClusters(document: RouteDocument, drivers: ReadonlyArray<Driver>) {
  const clusters = new Map<string, Cluster>()
  const faults: Array<RouteFault> = []
  const addresses = new Map<string, ReadonlyArray<string | object>>()
  for (const [name, { transport, ...config }] of Object.entries(document.clusters)) {
    faults.push(...nameFaults(name))
    const driver = drivers.find((one) => one.name === transport)
    if (driver === undefined) {
      faults.push({ path: `clusters.${name}.transport`, message: noDriver(transport, drivers) })
      continue
    }
    const inspected = driver.inspect(config)
    const issues = [...malformedReferences(config), ...("issues" in inspected ? inspected.issues : [])]
    for (const { path, message } of issues) faults.push({ path: join(`clusters.${name}`, path), message })
    if ("issues" in inspected) continue
    const { capabilities, keepsMs } = inspected
    addresses.set(name, inspected.addresses ?? [])
    clusters.set(name, { name, driver, config, capabilities, place: name, keepsMs })
  }
  for (const [name, place] of placesOf(addresses)) {
    const cluster = clusters.get(name)
    if (cluster !== undefined) clusters.set(name, { ...cluster, place })
  }
  return { clusters, faults }
}

/** A driver is called as its package is, and the package exports it by the last part of that name. */
function noDriver(transport: string, drivers: ReadonlyArray<Driver>): string {
  const names = drivers.map(({ name }) => name).filter((name) => typeof name === "string")
  const message = `no driver named ${transport}; the application allows ${names.length === 0 ? "none" : names.join(", ")}`
  const hint = meant(transport, names)
  const [, exported] = /^@[\w.-]+\/([a-z]\w*)$/i.exec(transport) ?? []
  if (hint !== "" || exported === undefined) return `${message}${hint}`
  return `${message}; in code it is allowed by import { ${exported} } from "${transport}" and drivers: [${exported}] for open`
}

/** A sink is called `cluster/topic`, which is one cluster and one topic only while no cluster has a slash. */
function nameFaults(name: string): ReadonlyArray<RouteFault> {
  if (/^[^\s/{}]{1,249}$/.test(name)) return []
  const message = `the name of a cluster has 1 to 249 characters, and no spaces, slashes or braces; give it another`
  return [{ path: `clusters.${name}`, message }]
}

/** The first name of each place: names with an address in common are one place, and so are those that share one with a third. */
function placesOf(addresses: ReadonlyMap<string, ReadonlyArray<string | object>>): ReadonlyMap<string, string> {
  let places: Array<{ readonly names: ReadonlyArray<string>; readonly addresses: ReadonlySet<string | object> }> = []
  for (const [name, own] of addresses) {
    const same = places.filter((place) => own.some((address) => place.addresses.has(address)))
    const merged = {
      names: [...same.flatMap(({ names }) => names), name],
      addresses: new Set([...same.flatMap((place) => [...place.addresses]), ...own])
    }
    const at = places.findIndex((place) => same.includes(place))
    const others = places.filter((place) => !same.includes(place))
    places = at < 0 ? [...others, merged] : others.toSpliced(at, 0, merged)
  }
  return new Map(places.flatMap(({ names }) => names.map((name) => [name, names[0] ?? name])))
}

function join(path: string, rest: string): string {
  return rest === "" ? path : `${path}.${rest}`
}
