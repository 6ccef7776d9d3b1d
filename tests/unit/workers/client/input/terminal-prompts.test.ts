import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import test from 'brittle'
import type { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { ChatPrompts } from '../../../../../workers/client/input/chat-prompts.js'
import { settle, until } from '../../../../helpers/until.js'

const [CTRL_C, CTRL_D, CTRL_Z, ENTER, UP, LEFT] = ['\x03', '\x04', '\x1a', '\r', '\x1b[A', '\x1b[D']
const paste = (text: string) => `\x1b[200~${text}\x1b[201~`

/** A chat at a terminal: what is typed, what is shown, and the prompts that come of it. */
function terminal(history: string[] = []) {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined })
  const screen = new PassThrough()
  let shown = ''
  screen.setEncoding('utf8').on('data', (text) => {
    shown += text
  })
  const session = { stops: 0, closed: 0, onContinued: () => {} }
  const refused: StarlingError[] = []
  const prompts: string[] = []
  const [held, holds] = [[] as (() => void)[], { answers: false }]
  const chat = new ChatPrompts({
    terminal: {
      input,
      screen,
      openSession({ onContinued }) {
        session.onContinued = onContinued
        return {
          stopJob() {
            session.stops += 1
          },
          close() {
            session.closed += 1
          },
        }
      },
    },
    history,
    onInterrupt: () => (held.length === 0 ? chat.interrupt() : void chat.dropWaiting()),
    onRefused: (error) => refused.push(error),
  })
  const ended = (async () => {
    for await (const prompt of chat.prompts()) {
      prompts.push(String(prompt))
      if (holds.answers) await new Promise<void>((resolve) => held.push(resolve))
    }
  })()
  const type = async (text: string) => {
    input.write(text)
    await settle(5)
  }
  return {
    chat,
    prompts,
    refused,
    session,
    holds,
    ended,
    type,
    /** Lets the answer that is under way end. */
    goOn: () => held.shift()?.(),
    /** What was shown since it was looked at last, without the sequences that move the cursor. */
    shown: () => {
      const text = stripVTControlCharacters(shown).replaceAll('\r\n', '\n')
      shown = ''
      return text
    },
  }
}

test('should be one prompt when lines are pasted, and only after Enter', async (t) => {
  const { type, prompts, shown } = terminal()
  await type(paste('one\r\ntwo \\\r"""\n\n/quit\n'))
  t.alike(prompts, [])
  t.is(shown(), '> one\n... two \\\n... """\n... \n... /quit')
  await type(ENTER)
  t.alike(prompts, ['one\ntwo \\\n"""\n\n/quit'])
})

test('should insert a paste where the cursor is, however it arrives', async (t) => {
  const { type, prompts } = terminal()
  await type('a d')
  await type(LEFT)
  for (const character of paste('b')) await type(character)
  await type(`${paste(' c\ne')}!${ENTER}`)
  t.alike(prompts, ['a b c\ned!'])
  await type(`${paste('one line\n')} more${ENTER}`)
  t.alike(prompts.slice(1), ['one line more'])
})

test('should show no control character of a paste, and ask what is shown', async (t) => {
  const { type, prompts, shown } = terminal()
  await type(`${paste('a\x1b[2Jb\u009b\tc\nd\x07')}${ENTER}`)
  t.alike(prompts, ['a\\x1b[2Jb\\x9b\tc\nd\\x07'])
  t.absent(/(?![\n\t])\p{Cc}/u.test(shown()))
})

test('should refuse a paste that is longer than any prompt, and go on', async (t) => {
  const { type, prompts, refused } = terminal()
  await type(paste('x'.repeat(1024 * 1024 + 1)))
  t.is(refused[0]?.code, 'PAYLOAD_TOO_LARGE')
  await type(`short${ENTER}`)
  t.alike(prompts, ['short'])
})

test('should leave a paste whose end was lost when Ctrl-C is typed', async (t) => {
  const { type, prompts } = terminal()
  await type(`\x1b[200~lost${CTRL_C}`)
  await type(`found${ENTER}`)
  t.alike(prompts, ['found'])
})

test('should go on in the next line after a backslash and within quotes', async (t) => {
  const { type, prompts, shown } = terminal()
  await type(`one \\${ENTER}two${ENTER}`)
  t.alike(prompts, ['one \ntwo'])
  t.ok(shown().startsWith('> one \\\n... two\n> '))
  await type(`"""${ENTER}three${ENTER}${ENTER}four"""${ENTER}five${ENTER}`)
  t.alike(prompts.slice(1), ['three\n\nfour', 'five'])
})

test('should clear the line and the waiting lines when Ctrl-C is typed, and exit at a second one', async (t) => {
  const { type, prompts, shown, ended } = terminal()
  await type('half a line')
  shown()
  await type(CTRL_C)
  t.ok(shown().endsWith('\n> '), 'the prompt is there again')
  await type(`"""${ENTER}never asked${ENTER}never${CTRL_C}`)
  await type(`asked${ENTER}`)
  t.alike(prompts, ['asked'])
  await type(`x${CTRL_C}`)
  await type(CTRL_C)
  await ended
  t.alike(prompts, ['asked'])
})

test('should forget what was typed ahead when the answer before it is ended', async (t) => {
  const { type, prompts, holds, goOn } = terminal()
  holds.answers = true
  await type(`one${ENTER}two${ENTER}three \\${ENTER}`)
  await type(CTRL_C)
  goOn()
  await settle(5)
  await type(`four${ENTER}`)
  t.alike(prompts, ['one', 'four'])
})

test('should show a prompt of several lines again when it was typed ahead', async (t) => {
  const { type, prompts, holds, goOn, shown } = terminal()
  holds.answers = true
  await type(`one${ENTER}`)
  await type(`${paste('two\nthree')}${ENTER}fo`)
  shown()
  goOn()
  await until('the next', () => prompts.length === 2)
  t.is(shown(), '> two\n... three\n')
  goOn()
  await settle(5)
  t.is(shown(), '> fo', 'what was begun meanwhile stands at the prompt')
  await type(`ur${ENTER}`)
  t.alike(prompts, ['one', 'two\nthree', 'four'])
})

test('should show the prompt again, and what is typed, after something else was written', async (t) => {
  const { chat, type, prompts, shown, holds } = terminal()
  await type('what')
  shown()
  let isWritten = false
  chat.writeAside(() => {
    isWritten = true
    t.is(shown(), '', 'the line is cleared and nothing else')
  })
  t.ok(isWritten)
  await settle(5)
  t.is(shown(), '> what')
  holds.answers = true
  await type(`?${ENTER}`)
  t.alike(prompts, ['what?'])
  shown()
  chat.writeAside(() => undefined)
  await settle(5)
  t.is(shown(), '', 'no prompt while an answer comes')
})

test('should stop and go on when Ctrl-Z is typed, and give the terminal back at the end', async (t) => {
  const { type, session, shown, prompts, ended } = terminal()
  await type(`half${CTRL_Z}`)
  t.is(session.stops, 1)
  shown()
  session.onContinued()
  await settle(5)
  t.is(shown(), '> half')
  await type(`${ENTER}${CTRL_D}`)
  await ended
  t.alike(prompts, ['half'])
  t.is(session.closed, 1)
})

test('should find single lines alone with the arrow keys', async (t) => {
  const { type, prompts } = terminal(['kept'])
  await type(`${paste('one\ntwo')}${ENTER}`)
  await type(`three \\${ENTER}four${ENTER}`)
  await type(`"""${ENTER}kept${ENTER}"""${ENTER}`)
  await type(`${UP}${ENTER}`)
  t.is(prompts.at(-1), 'kept')
})
