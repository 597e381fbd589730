import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { Effect } from "effect"
import { CommandFailure, exitCode } from "./outcome.ts"

/** Writes files below a folder, and makes the folders on the way. Ends with the first that cannot be written. */
export const writeFiles = (
  folder: string,
  files: Iterable<readonly [path: string, text: string]>,
  flag: "w" | "wx" = "w"
): Effect.Effect<void, CommandFailure> =>
  Effect.forEach(
    files,
    ([path, text]) => {
      const file = join(folder, path)
      const written = Effect.try({
        try: () => writeFileSync(file, text, { flag }),
        catch: (error) => failure(`${file} cannot be written: ${reasonOf(error)}`)
      })
      return Effect.andThen(makeFolder(dirname(file)), written)
    },
    { discard: true }
  )

/** Makes a folder one level at a time: the recursive way of Node never ends below `/proc`, and then takes no signal. */
function makeFolder(path: string): Effect.Effect<void, CommandFailure> {
  return Effect.suspend(() => {
    const missing: Array<string> = []
    for (let folder = resolve(path); !existsSync(folder) && dirname(folder) !== folder; folder = dirname(folder))
      missing.unshift(folder)
    const above = dirname(missing[0] ?? resolve(path, "x"))
    if (!statSync(above).isDirectory())
      return Effect.fail(failure(`${path} cannot be made: ${above} is a file; name another folder`))
    return Effect.try({
      try: () => missing.forEach((folder) => mkdirSync(folder)),
      catch: (error) => failure(`${path} cannot be made: ${reasonOf(error)}; name another folder`)
    })
  })
}

function failure(message: string): CommandFailure {
  return new CommandFailure({ code: exitCode.failed, message })
}

/** `permission denied`, of `EACCES: permission denied, mkdir '/x'`. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return /^[A-Z0-9]+: ([^,]+),/.exec(text)?.[1] ?? text
}
