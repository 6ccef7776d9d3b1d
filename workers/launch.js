/**
 * Runs the entry of a worker. In a checkout that is not installed, or not completely, it says so: neither the
 * packages nor what `npm install` compiles are there then, so this file needs neither.
 *
 * @param {string} name of the worker
 */
export async function launch(name) {
  try {
    await import(`./${name}.mjs`)
  } catch (error) {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error
    process.stderr.write(
      `${name}: Starling is not installed completely. Run this first: npm install\n`,
    )
    process.exitCode = 1
  }
}
