using Virtigo.Appliances;

namespace Virtigo.Environments.Steps;

/// <summary>Every kind of step, in the order of the reference.</summary>
internal static class StepVerbs
{
    /// <summary>Stands for a machine's name in the reference.</summary>
    public const string MachineWord = "MACHINE";

    private static readonly string[] s_reservedWords = [MachineType.All, "host", "name"];

    /// <summary>The step that begins with a machine's name.</summary>
    public static StepVerb Command { get; } = new(MachineWord,
        "Runs a shell command in the machine, as root. It must succeed.",
        "client: curl -sf http://server/",
        [
            new("MACHINE.run", StepTypes.Command, "The command, for `/bin/sh -c`.", "required", "", "run: systemctl is-active nginx"),
            new("MACHINE.within", StepTypes.Duration, "Tries again until it is as expected, at most this long.", "tried once", Times, "within: 60s"),
            new("MACHINE.fails", StepTypes.Flag, "Whether it must fail, with any exit code.", "false", "", "fails: true"),
            new("MACHINE.exit", new CountType(0, 255), "The exit code it must end with.", "0", "0 to 255", "exit: 3"),
            new("MACHINE.user", StepTypes.Text, "Who runs it.", "root", "a user of the machine", "user: www-data"),
            new("MACHINE.env", new VariablesType(), "Variables for it.", "none", "names and values", "env: {LANG: C}"),
            new("MACHINE.input", StepTypes.Text, "What it reads.", "nothing", "", "input: select 1;"),
            new("MACHINE.directory", StepTypes.GuestPath, "Where it runs.", "`/`, or the user's home", "", "directory: /srv"),
            new("MACHINE.prints", StepTypes.Texts, "Texts its standard output must have.", "anything", "a text or a list of texts", "prints: Welcome"),
            new("MACHINE.not prints", StepTypes.Texts, "Texts its standard output must not have.", "anything", "a text or a list of texts", "not prints: [error, failed]"),
            Name(MachineWord),
        ],
        "run",
        (_, _) => null);

    /// <summary>The steps that begin with a word of Virtigo's.</summary>
    public static IReadOnlyList<StepVerb> All { get; } =
    [
        Power("start", PowerAction.Start, "Powers machines on and waits until commands can run in them."),
        Power("shutdown", PowerAction.Shutdown, "Presses the power button and waits until the machines are off."),
        Power("reboot", PowerAction.Reboot, "Reboots machines the clean way and waits until commands can run in them again."),
        Power("power cut", PowerAction.PowerCut, "Takes the power away at once, as by pulling the plug."),
        Power("pause", PowerAction.Pause, "Stops machines; nothing in them notices."),
        Power("resume", PowerAction.Resume, "Lets paused machines go on."),
        new("wait for", "Waits inside the machine until something is so.", "wait for: {machine: server, port: 80, within: 30s}",
            [
                MachineKey("wait for"),
                new("wait for.unit", StepTypes.Text, "A systemd unit that is active.", "", "", "unit: nginx"),
                new("wait for.port", Ports, "A TCP port that something listens on.", "", "1 to 65535", "port: 80"),
                new("wait for.closed port", Ports, "A TCP port that nothing listens on.", "", "1 to 65535", "closed port: 80"),
                new("wait for.file", StepTypes.GuestPath, "A file or folder that exists.", "", "", "file: /run/ready"),
                new("wait for.console", StepTypes.Text, "What the console says.", "", "a regular expression", "console: login"),
                new("wait for.command", StepTypes.Command, "A command that succeeds.", "", "", "command: pg_isready"),
                new("wait for.shutdown", StepTypes.Flag, "The machine to power itself off.", "", "`true`", "shutdown: true"),
                new("wait for.within", StepTypes.Duration, "How long at most.", Quantities.Format(WaitStep.DefaultLimit), Times, "within: 30s"),
                Name("wait for"),
            ], null, (values, _) => WaitStep.Read(values)),
        new("link", "Makes the way from one machine to another worse, from now on. A later `link` for the same way replaces it.",
            "link: {from: client, to: server, delay: 200ms, loss: 5%}",
            [
                new("link.from", StepTypes.Machine, "Who sends.", "any machine", "", "from: client"),
                new("link.to", StepTypes.Machine, "Who receives.", "any machine", "", "to: server"),
                new("link.both ways", StepTypes.Flag, "Whether the way back is as bad.", "false", "", "both ways: true"),
                new("link.network", StepTypes.Text, "The network.", "every network", "", "network: lan"),
                new("link.delay", StepTypes.Duration, "How much later each frame arrives.", "0s", Times, "delay: 200ms"),
                new("link.jitter", StepTypes.Duration, "By how much the delay varies.", "0s", Times, "jitter: 20ms"),
                new("link.loss", StepTypes.Percent, "How many frames are lost.", "0%", "0% to 100%", "loss: 5%"),
                new("link.duplicate", StepTypes.Percent, "How many arrive twice.", "0%", "0% to 100%", "duplicate: 1%"),
                new("link.reorder", StepTypes.Percent, "How many are overtaken.", "0%", "0% to 100%", "reorder: 1%"),
                new("link.corrupt", StepTypes.Percent, "How many arrive with a bit changed.", "0%", "0% to 100%", "corrupt: 0.1%"),
                new("link.rate", StepTypes.Rate, "The most that passes.", "no limit", Rates, "rate: 1MB/s"),
                new("link.down", StepTypes.Flag, "Whether nothing arrives.", "false", "", "down: true"),
                Name("link"),
            ], null, (values, _) => LinkStep.Read(values)),
        new("partition", "Keeps machines from each other until `heal`. What is not said is drawn by the seed.",
            "partition: {kind: one, side: server}",
            [
                new("partition.kind", TextType.OneOf(PartitionStep.Kinds),
                    "Two halves; one machine alone; two random halves; one side unheard; each sees another majority; two halves and one that sees both.",
                    "required", "`" + string.Join("`, `", PartitionStep.Kinds) + "`", "kind: halves"),
                new("partition.side", StepTypes.Machines, "The machines on one side (`halves`, `one-way`), the lonely one (`one`), or the one that sees both (`bridge`).",
                    "drawn; for `halves` the first half", "", "side: [a, b]"),
                new("partition.network", StepTypes.Text, "The network.", "every network", "", "network: lan"),
                Name("partition"),
            ], "kind", PartitionStep.Read),
        new("heal", "Takes link faults (`links`), the partition (`partition`) or both (`all`) away.", "heal: all",
            [
                new("heal.what", TextType.OneOf(HealStep.Kinds), "What is taken away.", "required", "`" + string.Join("`, `", HealStep.Kinds) + "`", "what: all"),
                Name("heal"),
            ], "what", (values, _) => HealStep.Read(values)),
        new("disk", "Makes a disk faulty, or whole again with `none`.", "disk: {machine: server, fault: full}",
            [
                MachineKey("disk"),
                new("disk.fault", TextType.OneOf(DiskStep.Faults), "`error`: reads and writes fail. `full`: writes fail. `slow`: no faster than `rate`. `lost writes`: a power cut loses what was written and not flushed.",
                    "required", "`" + string.Join("`, `", DiskStep.Faults) + "`", "fault: full"),
                new("disk.rate", StepTypes.Rate, "The rate of a slow disk.", "required for `slow`", Rates, "rate: 1MB/s"),
                new("disk.lost", TextType.OneOf(DiskStep.Losses), "What of it `lost writes` loses: all, or what a draw says, in any order and torn.",
                    "all", "`" + string.Join("`, `", DiskStep.Losses) + "`", "lost: some"),
                new("disk.disk", new TextType("a disk's name or number", DiskStep.CheckDisk, "^([0-9]|1[0-9]|2[0-5]|[a-z][a-z0-9-]*)$"),
                    "Which disk: its name, or its number from 0. The first is `system`.", "0", "a name of `disk.disks`, or 0 to 25", "disk: data"),
                Name("disk"),
            ], null, (values, _) => DiskStep.Read(values)),
        new("clock", "Sets a machine's clock, moves it, or makes it go faster or slower.", "clock: {machine: server, jump: +2h}",
            [
                MachineKey("clock"),
                new("clock.set", StepTypes.Instant, "The date, or the date and time in UTC.", "", "such as `2030-01-01T12:00:00Z`", "set: 2030-01-01"),
                new("clock.jump", StepTypes.Shift, "How far it jumps.", "", "such as `+2h` or `-30m`", "jump: -30m"),
                new("clock.skew", StepTypes.Skew, "How much faster it goes.", "", "such as `200ppm`", "skew: 200ppm"),
                Name("clock"),
            ], null, (values, _) => ClockStep.Read(values)),
        new("copy in", "Copies a file or tree from beside the test file into a machine.", "copy in: {machine: server, from: site, to: /var/www/html}",
            [
                MachineKey("copy in"),
                new("copy in.from", StepTypes.RelativePath, "What; it lies below the test file's folder.", "required", "a relative path without `..`", "from: site/index.html"),
                new("copy in.to", StepTypes.GuestPath, "Where to, in the guest.", "required", "a path that starts with `/`", "to: /var/www/html/index.html"),
                Name("copy in"),
            ], null, (values, _) => CopyInStep.Read(values)),
        new("copy out", "Copies a file or tree of a machine into the test's artifacts; does nothing without `--artifacts`.", "copy out: {machine: server, from: /var/log/nginx}",
            [
                MachineKey("copy out"),
                new("copy out.from", StepTypes.GuestPath, "What, in the guest.", "required", "a path that starts with `/`", "from: /etc/nginx"),
                new("copy out.to", StepTypes.RelativePath, "Where to, below the machine's folder of the artifacts.", "the last part of `from`", "a relative path without `..`", "to: nginx"),
                Name("copy out"),
            ], null, (values, _) => CopyOutStep.Read(values)),
        new("screenshot", "Takes a picture of a machine's screen into the test's artifacts.", "screenshot: server",
            [
                MachineKey("screenshot"),
                new("screenshot.to", StepTypes.RelativePath, "The picture's name, below the machine's folder of the artifacts.", "`screen-line-N.png`", "a relative path without `..`", "to: login.png"),
                Name("screenshot"),
            ], "machine", (values, _) => ScreenshotStep.Read(values)),
        new("screen text", "Reads the text on a machine's screen; with `prints`, checks it.", "screen text: {machine: server, prints: \"login:\", within: 30s}",
            [
                MachineKey("screen text"),
                .. TextKeys("screen text"),
                Name("screen text"),
            ], "machine", (values, _) => ScreenTextStep.Read(values)),
        new("journal", "Reads a machine's journal since it booted, at most its last 10000 lines; with `prints`, checks it.", "journal: {machine: server, unit: nginx, not prints: error}",
            [
                MachineKey("journal"),
                new("journal.unit", StepTypes.Text, "Only of this unit.", "all", "", "unit: nginx"),
                .. TextKeys("journal"),
                Name("journal"),
            ], "machine", (values, _) => JournalStep.Read(values)),
        new("keys", "Presses keys on a machine's keyboard, or types a text.", "keys: {machine: server, press: ctrl-alt-delete}",
            [
                MachineKey("keys"),
                new("keys.press", StepTypes.Texts, "Keys pressed together; a list: one after the other.", "", "such as `ctrl-alt-f2`", "press: [alt-f2, ret]"),
                new("keys.type", StepTypes.Text, "A text.", "", "", "type: \"root\\n\""),
                Name("keys"),
            ], null, (values, _) => KeysStep.Read(values)),
        new("sysrq", "Gives a machine's kernel a SysRq command.", "sysrq: {machine: server, key: s}",
            [
                MachineKey("sysrq"),
                new("sysrq.key", StepTypes.Text, "The command's key or name.", "required", "such as `b`, `c` or `s`", "key: c"),
                Name("sysrq"),
            ], null, (values, _) => SysRqStep.Read(values)),
        new("pause here", "Stops so that you can look around with `virtigo shell`; the time does not count. Without a terminal it goes on at once.", "pause here",
            [Name("pause here")], null, (values, _) => BreakpointStep.Read(values))
        {
            Aliases = ["breakpoint"],
            Bare = true,
        },
    ];

    private static string Times => "such as `200ms`, `60s`, `2m`";

    private static string Rates => "such as `1MB/s`, `10Mbit/s`";

    private static CountType Ports => new(1, 65_535);

    /// <summary>Why a name cannot be a machine's, as the rest of a sentence that starts with the name; null when it can.</summary>
    public static string? Reserved(string name) =>
        All.FirstOrDefault(verb => verb.Is(name)) is not null ? "is a word that steps begin with; give the machine another name"
        : s_reservedWords.Contains(name) ? "has a meaning of its own in steps; give the machine another name"
        : null;

    private static StepVerb Power(string name, PowerAction action, string description) => new(name, description, $"{name}: server",
        [
            new($"{name}.machines", StepTypes.Machines, "Which machines; several at once.", "required", "a machine, a list of machines, or `all`", "machines: [server, client]"),
            Name(name),
        ], "machines", (values, _) => PowerOf(name, values, action));

    private static Step? PowerOf(string verb, StepValues values, PowerAction action)
    {
        if (values.Has("machines"))
        {
            return PowerStep.From(values, action);
        }

        values.Wrong(null, $"{verb}: the machine is missing, as in: {verb}: server");
        return null;
    }

    private static SpecKey[] TextKeys(string verb) =>
    [
        new($"{verb}.prints", StepTypes.Texts, "Texts that must be in it.", "anything", "a text or a list of texts", "prints: Started"),
        new($"{verb}.not prints", StepTypes.Texts, "Texts that must not be in it.", "anything", "a text or a list of texts", "not prints: error"),
        new($"{verb}.within", StepTypes.Duration, "Reads again until it is as expected, at most this long.", "read once", Times, "within: 30s"),
    ];

    private static SpecKey MachineKey(string verb) =>
        new($"{verb}.machine", StepTypes.Machine, "Which machine.", "required", "a machine", "machine: server");

    private static SpecKey Name(string verb) =>
        new($"{verb}.name", StepTypes.Text, "What the step is called in reports.", "the step itself", "", "name: the page is there");
}
