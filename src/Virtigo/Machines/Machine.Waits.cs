using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Virtigo.Machines;

public sealed partial class Machine
{
    /// <summary>The limit of a wait for which none is given, on the reference machine.</summary>
    public static readonly TimeSpan DefaultWaitLimit = TimeSpan.FromMinutes(2);

    /// <summary>Waits until a systemd unit is active. Fails at once when the unit has failed for good.</summary>
    /// <param name="unit">Its name, such as <c>nginx.service</c>; <c>.service</c> may be left out.</param>
    /// <param name="limit">The limit on the reference machine; null for <see cref="DefaultWaitLimit"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> after the limit, with the last state seen and the console's last lines,
    /// <see cref="FailureKind.Guest"/> when the unit has failed, or the machine is off or ends.
    /// </exception>
    public Task WaitForUnitAsync(string unit, TimeSpan? limit, CancellationToken cancellationToken) =>
        WaitForAsync(GuestConditionKind.Unit, unit.Contains('.', StringComparison.Ordinal) ? unit : unit + ".service", limit, cancellationToken);

    /// <summary>Waits until something listens on a TCP port of the machine, on any of its addresses.</summary>
    /// <param name="port">The port, 1 to 65535.</param>
    /// <param name="limit">The limit on the reference machine; null for <see cref="DefaultWaitLimit"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> after the limit, <see cref="FailureKind.Guest"/> when the machine is off or ends.
    /// </exception>
    public Task WaitForPortAsync(int port, TimeSpan? limit, CancellationToken cancellationToken) =>
        WaitForAsync(GuestConditionKind.Port, Port(port), limit, cancellationToken);

    /// <summary>Waits until nothing listens on a TCP port of the machine.</summary>
    /// <inheritdoc cref="WaitForPortAsync"/>
    public Task WaitForClosedPortAsync(int port, TimeSpan? limit, CancellationToken cancellationToken) =>
        WaitForAsync(GuestConditionKind.ClosedPort, Port(port), limit, cancellationToken);

    /// <summary>Waits until a file or folder exists.</summary>
    /// <param name="path">Its absolute path in the guest.</param>
    /// <param name="limit">The limit on the reference machine; null for <see cref="DefaultWaitLimit"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <inheritdoc cref="WaitForPortAsync" path="/exception"/>
    public Task WaitForFileAsync(string path, TimeSpan? limit, CancellationToken cancellationToken) =>
        path.StartsWith('/')
            ? WaitForAsync(GuestConditionKind.File, path, limit, cancellationToken)
            : throw new VirtigoException(FailureKind.Usage, $"The path \"{path}\" in machine {Name} is not absolute.", "Write it from / on.");

    /// <summary>Waits until a shell command succeeds, trying it again in the guest with growing pauses of at most two seconds.</summary>
    /// <param name="command">For <c>/bin/sh -c</c>, run as root.</param>
    /// <param name="limit">The limit on the reference machine; null for <see cref="DefaultWaitLimit"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <inheritdoc cref="WaitForPortAsync" path="/exception"/>
    public Task WaitForCommandAsync(string command, TimeSpan? limit, CancellationToken cancellationToken) =>
        WaitForAsync(GuestConditionKind.Command, command, limit, cancellationToken);

    /// <summary>Waits until a shell command fails, trying it again in the guest with growing pauses of at most two seconds.</summary>
    /// <inheritdoc cref="WaitForCommandAsync"/>
    public Task WaitUntilFailsAsync(string command, TimeSpan? limit, CancellationToken cancellationToken) =>
        WaitForAsync(GuestConditionKind.FailingCommand, command, limit, cancellationToken);

    /// <summary>
    /// Waits until the console has said something since power-on (or since the fork). What it said is searched as UTF-8 text
    /// of the last mebibyte, escape sequences removed.
    /// </summary>
    /// <param name="pattern">A regular expression, matched over several lines, without backtracking.</param>
    /// <param name="limit">The limit on the reference machine; null for <see cref="DefaultWaitLimit"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What matched.</returns>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> for a pattern that is none, <see cref="FailureKind.TimedOut"/> after the limit,
    /// <see cref="FailureKind.Guest"/> when the machine is off or ends.
    /// </exception>
    public Task<string> WaitForConsoleAsync(string pattern, TimeSpan? limit, CancellationToken cancellationToken)
    {
        MachineRun run = Running();
        Regex regex;
        try
        {
            regex = new Regex(pattern, RegexOptions.Multiline | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            throw new VirtigoException(FailureKind.Usage, $"\"{pattern}\" is no regular expression to wait for: {error.Message}", inner: error);
        }

        return WithinAsync(run, limit ?? DefaultWaitLimit, token => MatchAsync(run, regex, 0, token),
            waited => $"{Name}: the console did not say \"{pattern}\" within {waited.TotalSeconds:0} s.", cancellationToken);
    }

    private static async Task<string> MatchAsync(MachineRun run, Regex regex, long after, CancellationToken cancellationToken)
    {
        // What was said again and again is searched again from a little before its end only: a match is a few lines long.
        const int overlap = 64 << 10;
        for (long place = after; ;)
        {
            (byte[] text, long end, Task more) = run.Console.After(place);
            Match match = regex.Match(ConsoleText.Printable(Encoding.UTF8.GetString(text)));
            if (match.Success)
            {
                return match.Value;
            }

            place = Math.Max(after, end - overlap);
            await more.WaitAsync(cancellationToken);
        }
    }

    private async Task WaitForAsync(GuestConditionKind kind, string subject, TimeSpan? limit, CancellationToken cancellationToken)
    {
        MachineRun run = Running();
        IGuestShell shell = await ShellAsync(run, cancellationToken);
        var condition = new GuestCondition(kind, subject);
        string state = "";
        await WithinAsync(run, limit ?? DefaultWaitLimit, async token =>
        {
            await shell.WaitAsync(condition, seen => Volatile.Write(ref state, seen), token);
            return true;
        }, waited => $"{Name}: waited {waited.TotalSeconds:0} s for {condition.Description}. {LastSeen(Volatile.Read(ref state))}", cancellationToken);
    }

    private static string LastSeen(string state) =>
        state.Length == 0 ? "Nothing was seen of it." : $"Last seen: {ConsoleText.Printable(state)}";

    private string Port(int port) => port is > 0 and <= ushort.MaxValue
        ? port.ToString(CultureInfo.InvariantCulture)
        : throw new VirtigoException(FailureKind.Usage, FormattableString.Invariant($"{port} is no port of machine {Name}: ports are 1 to 65535."));
}
