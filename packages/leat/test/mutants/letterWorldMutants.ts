import type { Mutant } from "./Mutant.ts"

/** What goes wrong with dead letters only among everything else that goes on: the worlds have to find it. */
export const letterWorldMutants: ReadonlyArray<Mutant> = [
  {
    name: "the next of a key is handled while the dead letter of the one before is on its way",
    file: "consume/ReadLane.ts",
    find: `    held.state = "setAside"
    this.#aside.add(one)`,
    replace: `    held.state = "setAside"
    if (held.following !== undefined) this.#ready.push(held.following)
    held.following = undefined
    this.#aside.add(one)`,
    foundBy: "worlds"
  },
  {
    name: "what is set aside is settled before its dead letter is stored",
    file: "consume/ReadLane.ts",
    find: `    let first = this.#held[this.#head]
    while (first?.ended !== undefined) {`,
    replace: `    let first = this.#held[this.#head]
    while (first !== undefined && (first.ended !== undefined || first.state === "setAside")) {`,
    foundBy: "worlds"
  },
  {
    name: "a dead letter whose outcome is not known counts as stored",
    file: "transport/Forwarder.ts",
    find: `    if (run.fate !== "stored") left.push(...leftOfRun(run, known))`,
    replace: `    if (run.fate === "notStored") left.push(...leftOfRun(run, known))`,
    foundBy: "worlds"
  },
  {
    name: "a dead letter that is refused for now counts as stored",
    file: "transport/Forwarder.ts",
    find: `  if (error === undefined || !isRefused({ fate, error })) return [{ from, to }]`,
    replace: `  if (error === undefined || !isRefused({ fate, error })) return error?.reason === "Throttled" ? [] : [{ from, to }]`,
    foundBy: "worlds"
  },
  {
    name: "a policy that drops an event sets it aside",
    file: "consume/ReadLane.ts",
    find: `else if (decision.ending === "drop") this.#finish(held, { term: "dropped", reason: tag })`,
    replace: `else if (decision.ending === "drop") this.#setAside({ held, tag, detail }, nowMs)`,
    foundBy: "worlds"
  },
  {
    name: "a settle that never answers keeps its group from settling",
    file: "consume/LaneShell.ts",
    find: `      Effect.timeoutOrElse({ duration: settleMs,`,
    replace: `      Effect.timeoutOrElse({ duration: settleMs * 1000,`,
    foundBy: "worlds"
  }
]
