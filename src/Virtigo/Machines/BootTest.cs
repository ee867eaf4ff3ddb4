using System.Text.RegularExpressions;
using Virtigo.Host;
using Virtigo.Hypervisors;

namespace Virtigo.Machines;

/// <summary>A package as the guest's own package manager lists it.</summary>
internal sealed record GuestPackage(string Name, string Version, string Architecture);

/// <summary>What a booted machine said of itself.</summary>
/// <param name="UpAfter">The time from power-on until the system said that it is up.</param>
/// <param name="Packages">Every package installed.</param>
internal sealed record BootReport(TimeSpan UpAfter, IReadOnlyList<GuestPackage> Packages);

/// <summary>
/// Boots a machine as its user will, and asks it through its agent whether all is well: multi-user reached, no unit failed.
/// </summary>
/// <param name="hypervisor">Runs the machine.</param>
/// <param name="clock">Measures.</param>
internal sealed partial class BootTest(IHypervisor hypervisor, TimeProvider clock)
{
    /// <summary>What a reference host needs at most.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(6);

    /// <summary>The longest between the end of a guest's channels and the end of its process.</summary>
    private static readonly TimeSpan s_endTakes = TimeSpan.FromSeconds(10);

    private const int MaxPackages = 100_000;

    /// <summary>Looks at the system when it is up and well; null for nothing more to see.</summary>
    public Func<IGuestShell, CancellationToken, Task>? Look { get; init; }

    /// <summary>Boots and asks.</summary>
    /// <param name="config">The machine, on a disk that may be written to, with an agent channel; its console is the first serial port.</param>
    /// <param name="speed">Scales the time limit.</param>
    /// <param name="passphrase">What opens its disk; null when nothing need.</param>
    /// <param name="cancellationToken">Ends the test and the machine.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.BootTest"/> when the machine does not come up well.</exception>
    public async Task<BootReport> RunAsync(GuestConfig config, HostSpeed speed, Passphrase? passphrase, CancellationToken cancellationToken)
    {
        TimeSpan limit = speed.Scale(Limit);
        using var timeout = new CancellationTokenSource(limit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        long start = clock.GetTimestamp();
        await using IGuest guest = await hypervisor.StartAsync(config, either.Token);
        Task unlocking = passphrase is null ? Task.CompletedTask
            : DiskUnlock.AnswerAsync(guest.OpenSerial(config.Serials[0].Name), passphrase, clock, either.Token);
        Task<BootReport> asking = AskAsync(guest, start, either.Token);
        Task<int> crash = StreamSearch.FindAsync(guest.OpenSerial(config.Serials[0].Name), GuestCrash.Words, either.Token);
        try
        {
            Task first = await Task.WhenAny(asking, guest.Exited, crash);
            if (first == crash && await crash is >= 0 and var words)
            {
                throw GuestCrash.Failure(FailureKind.BootTest, "The installed system", words, "", "The console of the boot test is in the report.");
            }

            return await AnswerAsync(asking, guest.Exited);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new VirtigoException(FailureKind.BootTest,
                $"The installed system did not answer within {limit.TotalSeconds:0} s of power-on.",
                "The console of the boot test is in the report.");
        }
        finally
        {
            await guest.KillAsync(CancellationToken.None);
            await Task.WhenAll(asking, unlocking, crash).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>What the system said, or how it ended instead: its channel may break before its end is known.</summary>
    private async Task<BootReport> AnswerAsync(Task<BootReport> asking, Task<GuestExit> exited)
    {
        if (await Task.WhenAny(asking, exited) == asking)
        {
            try
            {
                return await asking;
            }
            catch (IOException broken)
            {
                if (await Task.WhenAny(exited, Task.Delay(s_endTakes, clock)) != exited)
                {
                    throw new VirtigoException(FailureKind.BootTest, $"The installed system's agent went away while it booted: {broken.Message}", inner: broken);
                }
            }
        }

        GuestExit exit = await exited;
        throw new VirtigoException(FailureKind.BootTest, $"The installed system ended while it booted: {exit.Detail}");
    }

    private async Task<BootReport> AskAsync(IGuest guest, long start, CancellationToken cancellationToken)
    {
        using var agent = GuestAgent.Of(guest, clock);
        await agent.WaitAsync(cancellationToken);
        string state = await OutputAsync(agent, "/usr/bin/systemctl", ["is-system-running", "--wait"], cancellationToken);
        TimeSpan up = clock.GetElapsedTime(start);
        string failed = await OutputAsync(agent, "/usr/bin/systemctl", ["list-units", "--failed", "--plain", "--no-legend"], cancellationToken);
        if (state.Trim() != "running" || failed.Trim().Length > 0)
        {
            string units = string.Join(", ", failed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Take(20).Select(line => line.Split(' ')[0]));
            throw new VirtigoException(FailureKind.BootTest,
                $"The installed system came up \"{Printable(state.Trim())}\" instead of \"running\"; failed units: {(units.Length == 0 ? "none" : Printable(units))}.",
                "The console of the boot test is in the report.");
        }

        string packages = await OutputAsync(agent,
            "/usr/bin/dpkg-query", ["-W", "-f", "${db:Status-Abbrev}\\t${Package}\\t${Version}\\t${Architecture}\\n"], cancellationToken);
        if (Look is { } look)
        {
            await using var shell = new AgentShell(agent, clock);
            await look(shell, cancellationToken);
        }

        return new BootReport(up, Packages(packages));
    }

    private static List<GuestPackage> Packages(string list) =>
    [
        .. list.Split('\n').Take(MaxPackages).Select(line => line.Split('\t')).Where(fields => fields is ["ii ", _, _, _])
            .Select(fields => new GuestPackage(fields[1], fields[2], fields[3])),
    ];

    private static async Task<string> OutputAsync(
        GuestAgent agent, string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        (await agent.RunAsync(program, arguments, cancellationToken)).OutputText;

    private static string Printable(string text) => NotPrintable().Replace(text, "?");

    [GeneratedRegex(@"[^\x20-\x7e]")]
    private static partial Regex NotPrintable();
}
