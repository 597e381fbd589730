/** Stories of commands: what is done to a leat, one command after the other, and to a model that is not leat; after each both say the same. */
import { Effect, Exit, Logger, References, type Scope } from "effect"
import fc from "fast-check"
import { simulate } from "leat/testing"

/** Commands of a story that was shrunk, at most: it is read by a person. */
export const commandsMax = 20

/** Commands of a story that is drawn, at most. */
const drawnMax = 60

/** One command: what it does to the model is said at once, what it does to leat is an effect. */
export abstract class Move<Model extends object, Real> implements fc.Command<Model, Doing<Real>> {
  /** Whether it can be done now. */
  check(model: Readonly<Model>): boolean {
    return model !== undefined
  }

  run(model: Model, doing: Doing<Real>): void {
    doing.next = this.play(model, doing.real)
  }

  abstract play(model: Model, real: Real): Effect.Effect<void, unknown, Scope.Scope>
  abstract toString(): string
}

interface Doing<Real> {
  readonly real: Real
  next: Effect.Effect<void, unknown, Scope.Scope>
}

export interface Told<Model extends object, Real> {
  readonly moves: ReadonlyArray<fc.Arbitrary<Move<Model, Real>>>
  readonly model: () => Model
  readonly open: Effect.Effect<Real, unknown, Scope.Scope>
  /** Looks when nothing moves any more; throws where they differ. */
  readonly compare: (model: Model, real: Real) => Effect.Effect<void, unknown, Scope.Scope>
}

/** The property that the model and leat say the same after each command of any story. */
function sayTheSame<Model extends object, Real>(
  { moves, model, open, compare }: Told<Model, Real>,
  failed: (played: ReadonlyArray<string>) => void
) {
  const commands = fc.commands<Model, Doing<Real>>([...moves], { maxCommands: drawnMax, size: "max" })
  return fc.property(commands, fc.integer(), (story, seed) => {
    const played: Array<string> = []
    const program = Effect.gen(function* () {
      const known = model()
      const doing: Doing<Real> = { real: yield* open, next: Effect.void }
      for (const command of story) {
        if (!command.check(known)) continue
        command.run(known, doing)
        played.push(String(command))
        yield* doing.next
        yield* compare(known, doing.real)
      }
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])), Effect.provideService(References.MinimumLogLevel, "None"))
    const { exit } = simulate(seed, program)
    if (Exit.isSuccess(exit)) return
    failed(played)
    throw new Error(String(exit.cause))
  })
}

/** The smallest story that fails, and why; undefined: none does. */
export function smallestOf<Model extends object, Real>(told: Told<Model, Real>) {
  // What is shrunk is told again and again; the last one that fails is the smallest.
  let commands: ReadonlyArray<string> = []
  const property = sayTheSame(told, (played) => (commands = played))
  const { counterexample, errorInstance } = fc.check(property, { numRuns })
  return counterexample === null ? undefined : { commands, why: String(errorInstance) }
}

const numRuns = Number(process.env["LEAT_RUNS"] ?? 60)
