import { existsSync } from "node:fs"
import { mkdir, readdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { installed, orMissing, type Program, type ProgramMissing, runTool } from "./Program.ts"

/** kcat of the PATH, or else Debian's package with the libraries that it needs, unpacked into `cache`. */
export const findKcat = (cache: string): Promise<Program | ProgramMissing> =>
  orMissing("install kcat, or apt and dpkg to fetch it", async () => {
    const own = { command: "kcat", args: [], environment: {} }
    if (await printsJson(own)) return own
    const folder = await installed(join(cache, "kcat"), unpackDebianPackages)
    const unpacked = {
      command: join(folder, "usr/bin/kcat"),
      args: [],
      environment: { LD_LIBRARY_PATH: (await librariesIn(folder)).join(":") }
    }
    if (!(await printsJson(unpacked))) throw new Error(`the kcat in ${folder} does not run; remove that folder`)
    return unpacked
  })

/** Whether it is there; builds without JSON exist. */
async function printsJson({ command, environment }: Program): Promise<boolean> {
  const told = await runTool(command, ["-V"], { env: { ...process.env, ...environment } }).catch(() => "")
  return /\bJSON\b/.test(told)
}

async function librariesIn(folder: string): Promise<ReadonlyArray<string>> {
  const places = ["lib", "usr/lib"].map((path) => join(folder, path)).filter((path) => existsSync(path))
  const found = await Promise.all(places.map(async (path) => (await readdir(path)).map((name) => join(path, name))))
  return found.flat().filter((path) => path.endsWith("-linux-gnu"))
}

async function unpackDebianPackages(folder: string): Promise<void> {
  // Where the system's lists are missing or too old, lists of our own need no rights and change nothing of the system's.
  await download(folder, []).catch(async () => {
    const lists = join(folder, "lists")
    await mkdir(join(lists, "partial"), { recursive: true })
    const options = [
      "-o",
      `Dir::State::Lists=${lists}`,
      "-o",
      "Dir::Cache::pkgcache=",
      "-o",
      "Dir::Cache::srcpkgcache="
    ]
    await runTool("apt-get", [...options, "update"])
    await download(folder, options)
    await rm(lists, { recursive: true })
  })
  for (const name of (await readdir(folder)).filter((one) => one.endsWith(".deb"))) {
    await runTool("dpkg", ["-x", join(folder, name), folder])
    await rm(join(folder, name))
  }
}

const dependsOnly = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map(
  (one) => `--no-${one}`
)
/** Whatever runs has these already, and they must fit each other. */
const ofTheSystem = /^(libc6|libgcc-s1|gcc-\d+-base|libcrypt1)$/

async function download(folder: string, options: ReadonlyArray<string>): Promise<void> {
  const told = await runTool("apt-cache", [...options, "depends", "--recurse", ...dependsOnly, "kcat"])
  const packages = told.split("\n").filter((line) => /^[a-z0-9]/.test(line) && !ofTheSystem.test(line))
  await runTool("apt-get", [...options, "download", ...packages], { cwd: folder })
}
