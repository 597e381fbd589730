import { defineConfig } from "vitest/config"

/** A new service's tests, on the sources of the workspace instead of installed packages. */
const conditions = ["@leat/source"]
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: { include: ["test/**/*.test.ts"] }
})
