import { stripVTControlCharacters } from 'node:util'
import test, { type Test } from 'brittle'
import { WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { until } from '../helpers/until.js'
import { foundMesh } from '../helpers/workers/mesh-home.js'

const COLUMNS = 40
const [CTRL_C, CTRL_D, CTRL_Z, ENTER] = ['\u0003', '\u0004', '\u001a', '\r']
const [PASTE_ON, PASTE_OFF] = ['\u001b[?2004h', '\u001b[?2004l']
const [PASTE_BEGIN, PASTE_END] = ['\u001b[200~', '\u001b[201~']

/**
 * A shell with job control on a terminal of its own, as `script` of util-linux makes one. What is typed
 * is answered by what it shows from then on, without the sequences that move the cursor.
 */
async function openShell(t: Test, processes: WorkerProcesses) {
  // Without an editor of its own, so that what is set at the terminal is set by what runs in it.
  const shell = 'bash --norc --noprofile --noediting -i'
  const flags = ['--quiet', '--flush', '--return', '--command', shell, '/dev/null']
  const terminal = processes.spawn('script', flags)
  const shown = async (what: RegExp, from: number) => {
    const rest = () => stripVTControlCharacters(terminal.stdout.slice(from))
    try {
      await until(String(what), () => what.test(rest()), 30_000)
    } catch (cause) {
      throw new Error(`Not ${what} but ${JSON.stringify(rest().slice(-500))}`, { cause })
    }
    return rest()
  }
  const type = async (typed: string, expected: RegExp) => {
    const { length } = terminal.stdout
    terminal.process.stdin?.write(typed)
    return await shown(expected, length)
  }
  t.teardown(() => terminal.process.stdin?.end())
  await type(`stty cols ${COLUMNS} rows 24; PS1='SH'@\r`, /SH@/)
  return { terminal, type, shown }
}

test('should leave the shell and its terminal usable when npm start runs in one', async (t) => {
  t.timeout(120_000)
  const processes = await WorkerProcesses.create(t)
  await processes.provideModel()
  const { terminal, type, shown } = await openShell(t, processes)
  await type('npm start\r', /\/help lists.*> $/s)
  t.ok(terminal.stdout.includes(PASTE_ON))

  // A paste is one prompt, and is asked with Enter.
  await type(`${PASTE_BEGIN}What is\rthe capital\rof France?${PASTE_END}`, /\.\.\. of France\?$/)
  await type(ENTER, /tokens\/s.*> $/s)
  t.is(terminal.stdout.split('tokens/s').length, 2, 'one answer')

  // Words stay whole.
  await type(`/new${ENTER}`, /A new conversation\..*> $/s)
  const story = await type(`Tell me a long story about the sea${ENTER}`, /tokens\/s.*> $/s)
  const answer = story.split('\n').slice(1, -2)
  t.ok(answer.length > 5, 'it takes several lines')
  for (const line of answer) t.ok(line.trimEnd().length <= COLUMNS, line)

  // The prompt comes back below what is noticed.
  const [gateway] = await processes.processes('gateway.js')
  const { length } = terminal.stdout
  process.kill(gateway ?? 0, 'SIGKILL')
  await shown(/gateway ended unexpectedly.*> .*gateway serves again.*> $/s, length)

  // Ctrl-Z gives the shell back, and fg the chat.
  await type(`half a line${CTRL_Z}`, /Stopped.*SH@$/s)
  await type('echo shell-$((20 + 3)); stty -a\r', /shell-23.*[^-]icanon.*SH@$/s)
  await type('fg\r', /npm start.*> half a line$/s)
  await type(CTRL_C, /> $/)
  await type(`/new${ENTER}`, /A new conversation\..*> $/s)
  await type(`What is the capital of France?${ENTER}`, /Paris\..*tokens\/s.*> $/s)

  await type(CTRL_D, /SH@$/)
  t.alike(await processes.processes(), [], 'no worker is left')
  t.ok(terminal.stdout.lastIndexOf(PASTE_OFF) > terminal.stdout.lastIndexOf(PASTE_ON))
  terminal.process.stdin?.write('exit\r')
  t.is(await terminal.exit, 0)
})

test('should restore the terminal when a chat is told to end', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  await foundMesh(processes.home)
  const { terminal, type, shown } = await openShell(t, processes)
  await type('node workers/client.js\r', /\/help lists.*> $/s)
  const [chat] = await processes.everyProcess('node workers/client.js')
  const { length } = terminal.stdout
  process.kill(chat ?? 0, 'SIGTERM')
  await shown(/SH@$/, length)
  t.ok(terminal.stdout.lastIndexOf(PASTE_OFF) > terminal.stdout.lastIndexOf(PASTE_ON))
  await type('stty -a\r', /[^-]icanon.*[^-]echo.*SH@$/s)
  terminal.process.stdin?.write('exit\r')
  await terminal.exit
})
