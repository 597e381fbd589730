/**
 * Where personal data stands in an event, as a graph to walk along with the event: what stands for itself inside itself is one
 * node, so the graph is finite and the event may be as deep as it likes.
 */
export interface PersonalPaths {
  /** Whether what stands here is personal, all of it. */
  isPersonal: boolean
  /** What stands further inside, by `name`, `[]`, `{}` or `<case>`. A node has one kind of these. */
  readonly inside: Map<string, PersonalPaths>
}

/** Reads the paths of a contract; `ContractInfo.personal` says how they are spelled. */
export function parsePersonalPaths(paths: ReadonlyArray<string>): PersonalPaths {
  const event = node()
  for (const path of paths) {
    const [at = "", like] = path.split(" = ")
    if (like === undefined) find(event, at).isPersonal = true
    else {
      const steps = stepsOf(at)
      const around = steps.slice(0, -1).reduce(step, event)
      around.inside.set(steps.at(-1) ?? "", like === "$" ? event : find(event, like))
    }
  }
  return event
}

function find(event: PersonalPaths, path: string): PersonalPaths {
  return stepsOf(path).reduce(step, event)
}

function step(from: PersonalPaths, name: string): PersonalPaths {
  const known = from.inside.get(name) ?? node()
  from.inside.set(name, known)
  return known
}

function stepsOf(path: string): ReadonlyArray<string> {
  return path.match(/[^.[{<]+|\[\]|\{\}|<[^>]+>/g) ?? []
}

function node(): PersonalPaths {
  return { isPersonal: false, inside: new Map() }
}
