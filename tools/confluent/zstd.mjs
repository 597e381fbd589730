// zstd as a static library, for librdkafka. Its sources come from the registry that npm uses, in a package that holds them unchanged;
// the download is pinned and kept in the cache. No dependencies.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** The package, and the checksum of its archive. It holds zstd 1.5.7. */
const name = "zstd-napi"
const version = "0.0.13"
const integrity = "sha512-ErGF+Ko1PsbooU6oC/sc/diiWKwVa0kd/5AkFSs7kg5kwcEuOtSzOy3xUOadXQlAVNab9TxsxaUk3hOq3cj/lA=="
const fetchMsMax = 120_000
const compileMsMax = 600_000

/** Hidden symbols: Node has a zstd of its own, and its symbols would take precedence over those of a library that shows them. */
const makefile = `
LIB := package/deps/zstd/lib
OBJECTS := $(addsuffix .o,$(basename $(wildcard $(LIB)/*/*.c $(LIB)/*/*.S)))
override CPPFLAGS += -I$(LIB) -DXXH_NAMESPACE=ZSTD_ -DZSTDLIB_VISIBLE= -DZSTDERRORLIB_VISIBLE= -DZSTD_NO_TRACE
override CFLAGS += -O2 -fPIC -fvisibility=hidden
libzstd.a: $(OBJECTS)
	ar rcs $@ $^
`

/**
 * Builds the library in a temporary folder: returns where its headers and the library are, or `missing`, the reason as one clause.
 * `unpack` extracts an archive into a folder.
 */
export function buildZstd({ cacheFolder, npm, jobs, unpack }) {
  const archive = join(cacheFolder, `${name}-${version}.tgz`)
  const missing = isIntact(archive) ? undefined : fetchArchive(cacheFolder, archive, npm)
  if (missing !== undefined) return { missing }
  const folder = mkdtempSync(join(tmpdir(), "leat-zstd-"))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  unpack(archive, folder)
  writeFileSync(join(folder, "Makefile"), makefile)
  // Not the options of an outer make, whose jobs are not ours.
  const env = { ...process.env, MAKEFLAGS: "" }
  const options = { cwd: folder, env, encoding: "utf8", timeout: compileMsMax }
  const { status, stdout, stderr } = spawnSync("make", [`-j${jobs}`], options)
  if (status === 0) return { include: join(folder, "package", "deps", "zstd", "lib"), library: folder, remove }
  remove()
  return { missing: "zstd could not be compiled", log: `${stdout}${stderr}` }
}

function fetchArchive(cacheFolder, archive, npm) {
  mkdirSync(cacheFolder, { recursive: true })
  const incomplete = mkdtempSync(join(cacheFolder, `${name}.incomplete-`))
  try {
    const command = [npm, "pack", `${name}@${version}`, "--pack-destination", incomplete, "--ignore-scripts"]
    // Elsewhere than in the repository, whose package.json does not matter here.
    spawnSync(process.execPath, command, { cwd: incomplete, stdio: "ignore", timeout: fetchMsMax })
    const fetched = join(incomplete, `${name}-${version}.tgz`)
    if (!existsSync(fetched)) return `the sources of zstd (${name} ${version}, by npm) could not be fetched`
    if (!isIntact(fetched))
      return `the sources of zstd (${name} ${version}, by npm) are not those that leat was tested with`
    renameSync(fetched, archive)
    return undefined
  } finally {
    rmSync(incomplete, { recursive: true, force: true })
  }
}

function isIntact(archive) {
  if (!existsSync(archive)) return false
  return `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}` === integrity
}
