using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Virtigo.Host;

namespace Virtigo.Machines;

public sealed partial class Machine
{
    private static readonly TimeSpan s_sysRqLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_sysRqPatience = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Opens the serial console: it begins with what was said before (at most the last mebibyte) and ends with the power-on. What is
    /// written is typed. One that is not read holds the console up; dispose it when done.
    /// </summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine is off.</exception>
    public Stream OpenConsole() => Running().Guest.OpenSerial(_config.Console);

    /// <summary>The last lines of the console that are not empty, of the current or last power-on, without control characters.</summary>
    /// <param name="lines">How many at most.</param>
    public string ConsoleTail(int lines)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(lines, 1);
        return _run?.Console.Tail(lines) ?? "";
    }

    /// <summary>A picture of the screen, as PNG.</summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> when the machine has no screen, <see cref="FailureKind.Guest"/> when it is off.
    /// </exception>
    public Task<byte[]> ScreenshotAsync(CancellationToken cancellationToken) => Running().Guest.ScreenshotAsync(cancellationToken);

    /// <summary>
    /// The text on the virtual console that is in front, line by line, without blanks at the ends of lines. What is not ASCII shows as
    /// <c>?</c>. It is read in the guest, not from the picture.
    /// </summary>
    /// <exception cref="MachineCommandException">The guest has no virtual console.</exception>
    /// <inheritdoc cref="ExecuteAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public async Task<string> ScreenTextAsync(CancellationToken cancellationToken)
    {
        string answer = await RunAsync("od -An -v -tu1 -w1 /dev/vcsa", cancellationToken);
        byte[] cells = [.. answer.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)
            .Select(number => byte.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out byte cell) ? cell : (byte)'?')];
        return ScreenText.Of(cells);
    }

    /// <summary>Presses keys together on the machine's keyboard and lets them go.</summary>
    /// <param name="chord">Names joined by <c>-</c>, such as <c>ctrl-alt-delete</c>, <c>alt-f2</c> or <c>enter</c>; at most 8.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> when there is no such key, <see cref="FailureKind.Guest"/> when the machine is off.
    /// </exception>
    public Task SendKeysAsync(string chord, CancellationToken cancellationToken) =>
        Running().Guest.SendKeysAsync(KeyChords.Chord(chord), cancellationToken);

    /// <summary>Types text on the machine's keyboard, which its system takes for a US one. A new line is Enter.</summary>
    /// <param name="text">ASCII.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> for a character that the keyboard has not, <see cref="FailureKind.Guest"/> when the machine is off.
    /// </exception>
    public async Task TypeAsync(string text, CancellationToken cancellationToken)
    {
        // Keys that come faster than a keyboard's are lost in the emulated controller.
        var pause = TimeSpan.FromMilliseconds(20);
        foreach (IReadOnlyList<string> keys in KeyChords.Text(text))
        {
            await Running().Guest.SendKeysAsync(keys, cancellationToken);
            await Task.Delay(pause, _config.Clock, cancellationToken);
        }
    }

    /// <summary>The names of SysRq commands, such as <c>sync</c> and <c>crash</c>; each command can also be given by its key.</summary>
    public static IReadOnlyList<string> SysRqNames => SysRqCommands.Names;

    /// <summary>
    /// Gives a SysRq command from outside, which works when little else does, and waits until the kernel says on its console that it takes it. Its
    /// answer may get lost there, so a command that does no harm when done twice is given again after a while.
    /// </summary>
    /// <param name="command">The key, such as <c>c</c>, or its name, such as <c>crash</c>, <c>sync</c>, <c>blocked</c>, <c>reboot</c>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What the kernel said. Of a command that has it tell something (memory, tasks, …) all that it told, at most a mebibyte.</returns>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> when there is no such command or the guest allows it not, <see cref="FailureKind.TimedOut"/> when the
    /// kernel says nothing, <see cref="FailureKind.Guest"/> when the machine is off.
    /// </exception>
    public async Task<string> SysRqAsync(string command, CancellationToken cancellationToken)
    {
        char key = SysRqCommands.Key(command);
        MachineRun run = Running();
        long before = run.Console.Total;
        string said = await SysRqAsync(run, key, SysRqLine(), cancellationToken);
        if (said.Contains("disabled", StringComparison.Ordinal))
        {
            throw new VirtigoException(FailureKind.Usage, $"Machine {Name} does not allow SysRq {key}: {said.Trim()}", "Allow it by: sysctl -w kernel.sysrq=1");
        }

        if (!SysRqCommands.Tells(key))
        {
            return said.Trim();
        }

        // The kernel does one command after the other: where it answers the next, its account of this one is at its end.
        await SysRqAsync(run, 'h', SysRqHelp(), cancellationToken);
        string told = ConsoleText.Printable(Encoding.UTF8.GetString(run.Console.After(before).Text));
        int start = SysRqLine().Match(told) is { Success: true } first ? first.Index : 0;
        return (SysRqHelp().Match(told, start) is { Success: true } help ? told[start..help.Index] : told[start..]).Trim();
    }

    private async Task<string> SysRqAsync(MachineRun run, char key, Regex answer, CancellationToken cancellationToken)
    {
        bool again = SysRqCommands.Repeatable(key);
        string once = again ? "" : " It may have been taken all the same, so it was given once only.";
        return await WithinAsync(run, s_sysRqLimit, token => AskAsync(run, key, answer, again, token), waited =>
            $"{Name}: the kernel did not say within {waited.TotalSeconds:0} s that it takes SysRq {key}; its console must be the serial port.{once}", cancellationToken);
    }

    private async Task<string> AskAsync(MachineRun run, char key, Regex answer, bool again, CancellationToken cancellationToken)
    {
        for (long before = run.Console.Total; ;)
        {
            await run.Guest.SysRqAsync(_config.Console, key, cancellationToken);
            using CancellationTokenSource patience = again ? new(_config.Speed.Scale(s_sysRqPatience), _config.Clock) : new();
            using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
            try
            {
                return await MatchAsync(run, answer, before, either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // A quiet kernel raises its log level for the answer alone. Where somebody else just writes to a console, he prints what has come
                // meanwhile, at the level of then: the answer is in the kernel's log, and not on the console.
            }
        }
    }

    /// <summary>The journal since the current boot, at most its last 10000 lines.</summary>
    /// <param name="unit">Only of this unit; null for all.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="MachineCommandException">The guest has no journal.</exception>
    /// <inheritdoc cref="ExecuteAsync(string, CommandOptions, CancellationToken)" path="/exception"/>
    public Task<string> JournalAsync(string? unit, CancellationToken cancellationToken) =>
        RunAsync($"journalctl --no-pager -b -n 10000 -o short-precise{(unit is null ? "" : $" -u {ShellQuote.Word(unit)}")}", cancellationToken);

    [GeneratedRegex(@"(sysrq: |This sysrq operation is disabled)[^\n]*\n", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex SysRqLine();

    [GeneratedRegex(@"[^\n]*sysrq: HELP[^\n]*\n", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex SysRqHelp();
}
