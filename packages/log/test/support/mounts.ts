/** Volumes that are full or read-only, where this user may make them: root may write where permissions say that nobody may. */
import { Effect, type Scope } from "effect"
import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const run = (command: string, ...rest: ReadonlyArray<string>): boolean =>
  spawnSync(command, rest, { stdio: "ignore", timeout: 10_000 }).status === 0

const isRoot = process.getuid?.() === 0

function canMount(): boolean {
  if (!isRoot) return false
  const directory = mkdtempSync(join(tmpdir(), "leat-mount-"))
  const can = run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory)
  if (can) run("umount", directory)
  rmSync(directory, { recursive: true })
  return can
}

const mounts = canMount()

type Volume = (directory: string, megabytes: number) => Effect.Effect<string, never, Scope.Scope>

/** Mounts an empty volume of so many megabytes over a directory; undefined where that is not allowed. */
export const smallVolume: Volume | undefined = mounts
  ? (directory, megabytes) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          if (!run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", directory))
            throw new Error(`cannot mount over ${directory}`)
          return directory
        }),
        () => Effect.sync(() => run("umount", "-l", directory))
      )
  : undefined

type Protect = (directory: string) => Effect.Effect<string, never, Scope.Scope>

/** The directory with nothing to be written in it: by a read-only mount for root, by permissions for anybody else. */
export const readOnly: Protect | undefined = isRoot
  ? mounts
    ? (directory) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            run("mount", "--bind", directory, directory)
            if (!run("mount", "-o", "remount,bind,ro", directory)) throw new Error(`cannot protect ${directory}`)
            return directory
          }),
          () => Effect.sync(() => run("umount", "-l", directory))
        )
    : undefined
  : (directory) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          chmodSync(directory, 0o500)
          return directory
        }),
        () => Effect.sync(() => chmodSync(directory, 0o700))
      )
