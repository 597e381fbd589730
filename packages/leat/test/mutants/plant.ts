/** Plants a mutant into the sources as they are loaded: in a process of its own, or in a run of vitest. */
import { readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { fileURLToPath } from "node:url"
import type { VitestPluginContext } from "vitest/node"
import type { Mutant } from "./Mutant.ts"
import { mutants } from "./mutants.ts"

const pathOf = ({ file }: Mutant) => fileURLToPath(new URL(`../../src/${file}`, import.meta.url))

export function mutantCalled(name: string): Mutant {
  const found = mutants.find((mutant) => mutant.name === name)
  if (found === undefined) throw new Error(`there is no mutant "${name}"`)
  return found
}

/** The source with the mutant in it. Throws when its text does not stand there once. */
export function planted(mutant: Mutant): string {
  const source = readFileSync(pathOf(mutant), "utf8")
  if (source.split(mutant.find).length !== 2)
    throw new Error(`the text of "${mutant.name}" does not stand once in ${mutant.file}`)
  return source.replace(mutant.find, () => mutant.replace)
}

/** Plants it for everything that this process imports from now on. */
export function plantInProcess(mutant: Mutant): void {
  const target = new URL(`../../src/${mutant.file}`, import.meta.url).href
  registerHooks({
    load: (url, context, next) =>
      url === target ? { format: "module-typescript", source: planted(mutant), shortCircuit: true } : next(url, context)
  })
}

/** A plugin of Vite that plants the mutant that `LEAT_MUTANT` names; none when it names none. */
export function plantingPlugin() {
  const name = process.env["LEAT_MUTANT"]
  if (name === undefined) return []
  const mutant = mutantCalled(name)
  const target = pathOf(mutant)
  return [
    {
      name: "planted",
      enforce: "pre" as const,
      load: (id: string) => (id === target ? planted(mutant) : null),
      // What is kept for later runs is kept without a mutant.
      configureVitest: ({ defineCacheKeyGenerator }: VitestPluginContext) =>
        defineCacheKeyGenerator(({ id }) => (id === target ? false : undefined))
    }
  ]
}
