// Checks every package as npm would publish it: publint for what package.json promises, attw for what TypeScript finds.
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const folder = mkdtempSync(join(tmpdir(), "leat-packages-"))
let failed = 0
const run = (command, args) => {
  const { status } = spawnSync(command, args, { stdio: "inherit" })
  if (status !== 0) failed++
}
try {
  for (const name of readdirSync("packages")) {
    const { private: isPrivate, exports } = JSON.parse(readFileSync(`packages/${name}/package.json`, "utf8"))
    if (isPrivate === true) continue
    process.stdout.write(`-- ${name}\n`)
    run("publint", ["--strict", `packages/${name}`])
    const packing = ["pack", "--silent", "--json", "--pack-destination", folder, "--workspace", `packages/${name}`]
    const packed = spawnSync("npm", packing, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
    for (const needed of ["README.md", "LICENSE"]) {
      if (packed.stdout.includes(`"path": "${needed}"`)) continue
      process.stdout.write(`the package of ${name} has no ${needed}\n`)
      failed++
    }
    const file = readdirSync(folder).find((one) => one.endsWith(".tgz"))
    if (file !== undefined && exports !== undefined) run("attw", ["--profile", "esm-only", join(folder, file)])
    if (file !== undefined) rmSync(join(folder, file))
  }
} finally {
  rmSync(folder, { recursive: true })
}
process.exit(failed === 0 ? 0 : 1)
