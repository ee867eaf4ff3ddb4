using System.Text;
using Virtigo.Machines;
using Virtigo.Profiles;

namespace Virtigo.Environments;

public sealed partial class RunningEnvironment
{
    private const int InputPiece = 16 << 10;

    /// <summary>Runs a shell command in a machine and returns its result whatever its exit code.</summary>
    /// <param name="machine">The machine's name.</param>
    /// <param name="command">For <c>/bin/sh -c</c>.</param>
    /// <param name="options">How it runs; on a terminal it cannot.</param>
    /// <param name="cancellationToken">Kills the command.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.TimedOut"/> after the limit, else it cannot be started, the machine went away, or the environment is gone.
    /// </exception>
    public async Task<CommandResult> ExecuteAsync(string machine, string command, CommandOptions options, CancellationToken cancellationToken)
    {
        long start = TimeProvider.System.GetTimestamp();
        using var limit = new CancellationTokenSource(options.Limit);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        using var output = new KeptOutput(options.OutputLimit, bytes => options.OnOutput?.Invoke(bytes, false));
        using var error = new KeptOutput(options.OutputLimit, bytes => options.OnOutput?.Invoke(bytes, true));
        try
        {
            await using GuestCall call = await StartAsync(machine, ["/bin/sh", "-c", command], options with { Terminal = null }, either.Token);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(either.Token);
            Task feeding = FeedAsync(call, options, ended.Token);
            int code = await call.RunAsync(output, error, either.Token);
            await ended.CancelAsync();
            await feeding.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return new CommandResult(code, output.Text, error.Text, output.IsCut || error.IsCut, TimeProvider.System.GetElapsedTime(start));
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new VirtigoException(FailureKind.TimedOut, $"{machine}: a command did not end within {options.Limit.TotalSeconds:0} s and was killed.");
        }
    }

    /// <summary>The profile of a machine.</summary>
    /// <param name="machine">The machine's name.</param>
    public GuestProfile ProfileOf(string machine) => new((command, options, cancellationToken) => ExecuteAsync(machine, command, options, cancellationToken));

    /// <summary>A machine on a network of another's that its network can be measured against.</summary>
    /// <param name="machine">The machine that is measured.</param>
    /// <param name="peer">The name of the other; null for any that runs.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Null when none is asked for and there is none.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/> when the one asked for is on no network of the machine's, or off.</exception>
    public async Task<ProfilePeer?> PeerOfAsync(string machine, string? peer, CancellationToken cancellationToken)
    {
        RunningStatus status = await StatusAsync(cancellationToken);
        IEnumerable<RunningAddress> own = status.Machines.Where(one => one.Name == machine).SelectMany(one => one.Addresses).ToArray();
        ProfilePeer? found = (from other in status.Machines
                              where other.Name != machine && other.State == MachineState.Running && (peer is null || other.Name == peer)
                              from there in other.Addresses
                              from here in own
                              where here.Network == there.Network
                              select new ProfilePeer(other.Name, there.Ipv4, here.Ipv4,
                                  (command, options, token) => ExecuteAsync(other.Name, command, options, token))).FirstOrDefault();
        return found is null && peer is not null
            ? throw new VirtigoException(FailureKind.Usage, $"{peer} is no running machine on a network of {machine}'s.",
                "Name one that is, or none: then any is taken.")
            : found;
    }

    /// <summary>Sends a command what it is to read, and then the end.</summary>
    private static async Task FeedAsync(GuestCall call, CommandOptions options, CancellationToken cancellationToken)
    {
        await call.WriteAsync(options.Input, cancellationToken);
        byte[] piece = new byte[InputPiece];
        for (int read; options.InputStream is { } input && (read = await input.ReadAsync(piece, cancellationToken)) > 0;)
        {
            await call.WriteAsync(piece.AsMemory(0, read), cancellationToken);
        }

        await call.EndInputAsync(cancellationToken);
    }

    /// <summary>The beginning of what a command writes; all of it is shown as it comes.</summary>
    private sealed class KeptOutput(int limit, Action<ReadOnlyMemory<byte>> show) : MemoryStream
    {
        public bool IsCut { get; private set; }

        public string Text => Encoding.UTF8.GetString(GetBuffer(), 0, (int)Length);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            show(buffer);
            int room = (int)Math.Min(buffer.Length, limit - Length);
            IsCut |= room < buffer.Length;
            Write(buffer.Span[..room]);
            return ValueTask.CompletedTask;
        }
    }
}
