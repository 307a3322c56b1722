// Bundles the page into the folder named on the command line. Called by `python -m hubbub.web.build`.
import { build } from "esbuild";
import { argv } from "node:process";

const outdir = argv[2] ?? "../static";

await build({
  entryPoints: [
    { in: "src/main.tsx", out: "page" },
    { in: "src/style.css", out: "style" },
  ],
  outdir,
  bundle: true,
  minify: true,
  sourcemap: false,
  format: "esm",
  target: ["es2022", "safari16"],
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
});
