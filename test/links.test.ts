import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

/**
 * Links of the pages that people read: each leads to a file that is there, and to a heading of it where it names one. The pages that are packed
 * with a package stand on the registry's page too, where nothing of the repository is beside them.
 */

const root = fileURLToPath(new URL("..", import.meta.url))

const pagesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name))

const folders = readdirSync(join(root, "packages")).map((name) => join("packages", name))
const pages = [".", "docs", "docs/guide", "docs/decisions", ...folders].flatMap(pagesIn)

const textOf = (page: string): string => readFileSync(join(root, page), "utf8").replaceAll(/^```[\s\S]*?^```$/gm, "")

/** Where the links of a page lead, but for those of the web. */
const linksOf = (page: string): ReadonlyArray<string> =>
  [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, to = ""]) => (/^[a-z]+:/.test(to) ? [] : [to]))

/** As GitHub names the headings of a page: `Where to look when` is `where-to-look-when`. */
const headingsOf = (page: string): ReadonlyArray<string> =>
  [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-")
  )

function isDead(page: string, to: string): boolean {
  const [path = "", heading] = to.split("#")
  const target = path === "" ? page : join(dirname(page), path)
  if (!existsSync(join(root, target))) return true
  return heading !== undefined && !headingsOf(target).includes(heading)
}

describe("the links of the pages", () => {
  it("lead to files and headings that are there", () => {
    expect(pages.flatMap(linksOf).length).toBeGreaterThan(100)
    expect(
      pages.flatMap((page) =>
        linksOf(page)
          .filter((to) => isDead(page, to))
          .map((to) => `${page}: ${to}`)
      )
    ).toEqual([])
  })

  it("tell a file and a heading that are not there", () => {
    expect(isDead("README.md", "docs/guide/nowhere.md")).toBe(true)
    expect(isDead("README.md", "docs/guide/routes.md#nowhere")).toBe(true)
    expect(isDead("README.md", "docs/guide/routes.md#secrets-and-paths")).toBe(false)
  })

  it("stay inside of a package, where its page is packed with it", () => {
    const packed = folders.filter(
      (folder) => !readFileSync(join(root, folder, "package.json"), "utf8").includes('"private": true')
    )
    expect(packed.length).toBeGreaterThan(5)
    expect(packed.flatMap(pagesIn).flatMap((page) => linksOf(page).map((to) => `${page}: ${to}`))).toEqual([])
  })
})

/** Rows of tables that stand behind an empty line, without a heading: they are shown as text. */
const strayRowsIn = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\n\n(\|[^\n]*)\n(?!\|[ :|-]+\n)/g)].map(([, row = ""]) => row)

describe("the tables of the pages", () => {
  it("are not cut in two by an empty line", () => {
    expect(pages.flatMap((page) => strayRowsIn(textOf(page)).map((row) => `${page}: ${row}`))).toEqual([])
    expect(strayRowsIn("\n\n| a |\n| --- |\n| b |\n\n| c |\n\n")).toEqual(["| c |"])
  })
})
