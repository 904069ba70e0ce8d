/** Writes the schema out for people: `--help`, `config/default.yaml`, and the settings in force for the log. */
import { type Config, NAMED_SETTINGS } from './schema.ts';
import { type NamedSetting, SECTIONS, type Section } from './setting.ts';

const HELP_WIDTH = 100;
const HELP_COLUMN = 6;
const YAML_WIDTH = 110;

/** The flags of the server by section, for `--help`. */
export function settingsHelp(): string {
  const blocks = [
    `  --config FILE\n${wrap('YAML file with settings, in the form of config/default.yaml.', HELP_COLUMN, HELP_WIDTH)}`,
  ];
  for (const section of Object.keys(SECTIONS) as Section[]) {
    const flags = settingsOf(section).map((named) => {
      const { kind } = named.setting;
      const value = kind.placeholder === '' ? '' : ` ${kind.placeholder}`;
      return `  --${named.flag}${value}\n${wrap(`${named.setting.description} ${defaultPhrase(named)}`, HELP_COLUMN, HELP_WIDTH)}`;
    });
    blocks.push(`${SECTIONS[section]}\n${flags.join('\n')}`);
  }
  blocks.push(
    wrap(
      'Each flag is also a variable (--data-dir is GOMSG_DATA_DIR) and a key of the YAML file. Flags win over variables, variables over the file, the file over defaults.',
      0,
      HELP_WIDTH,
    ),
  );
  return `${blocks.join('\n\n')}\n`;
}

/** The text of `config/default.yaml`: a file that changes nothing, and documents everything. */
export function defaultYaml(): string {
  const head = [
    'Every setting of gomsg with its default: a copy of this file changes nothing until you edit it.',
    'Use it with --config FILE or GOMSG_CONFIG. Flags win over GOMSG_* variables, variables over this file.',
    'Durations carry a unit (ms, s, m, h, d); sizes are bytes or carry one (KiB, MiB, GiB; KB, MB, GB are powers of 1000).',
    'Written from server/src/config/schema.ts by `npm run generate:config`.',
  ];
  const sections = (Object.keys(SECTIONS) as Section[]).map((section) => {
    const settings = settingsOf(section).map((named) => {
      const { setting, flag, variable, yamlPath } = named;
      const key = yamlPath.slice(section.length + 1);
      const line =
        setting.default === undefined
          ? `  # ${key}: ${yamlScalar(setting.example ?? '')}`
          : `  ${key}: ${yamlValue(named, setting.default)}`;
      const facts = `--${flag}, ${variable}: ${setting.kind.expected}.`;
      return [wrap(setting.description, 2, YAML_WIDTH, '# '), wrap(facts, 2, YAML_WIDTH, '# '), line].join(
        '\n',
      );
    });
    return [`# ${SECTIONS[section]}`, `${section}:`, settings.join('\n\n')].join('\n');
  });
  return `${[head.map((line) => `# ${line}`).join('\n'), ...sections].join('\n\n')}\n`;
}

/** The settings that differ from their defaults, by YAML path, secrets hidden: for the log line of a start. */
export function changedSettings(config: Config): Record<string, string> {
  const changed: Record<string, string> = {};
  for (const { field, yamlPath, setting } of NAMED_SETTINGS) {
    const value = config[field as keyof Config];
    if (value === undefined) continue;
    const text = setting.kind.format(value);
    if (setting.default !== undefined && setting.kind.format(setting.default) === text) continue;
    changed[yamlPath] = setting.secret ? '(hidden)' : text;
  }
  return changed;
}

function settingsOf(section: Section): NamedSetting[] {
  return NAMED_SETTINGS.filter((named) => named.setting.section === section);
}

function defaultPhrase({ setting }: NamedSetting): string {
  if (setting.default === undefined) return '';
  const text = setting.kind.format(setting.default);
  return text === '' ? 'Default: none.' : `Default: ${text}.`;
}

function yamlValue({ setting }: NamedSetting, value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => yamlScalar(String(item))).join(', ')}]`;
  return yamlScalar(setting.kind.format(value));
}

/** Plain where YAML reads the same text back, quoted otherwise. */
function yamlScalar(text: string): string {
  return /^[A-Za-z0-9./][A-Za-z0-9._/:-]*$/.test(text) && !/:$/.test(text) ? text : JSON.stringify(text);
}

function wrap(text: string, indent: number, width: number, mark = ''): string {
  const lead = ' '.repeat(indent) + mark;
  const lines: string[] = [];
  let line = '';
  for (const word of text.trim().split(/\s+/)) {
    if (line !== '' && lead.length + line.length + 1 + word.length > width) {
      lines.push(lead + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(lead + line);
  return lines.join('\n');
}
