using System.Globalization;
using System.Text;
using Virtigo.Machines;

namespace Virtigo.Profiles;

/// <summary>What was measured of a guest's network.</summary>
/// <param name="Card">The card that the transfers went through.</param>
/// <param name="Peer">The machine at the other end.</param>
/// <param name="AsIs">All transfers with everything as it is.</param>
/// <param name="Trials">What was tried.</param>
/// <param name="Fixed">The offloads that the card does not let be changed.</param>
internal sealed record NetworkMeasurement(
    GuestNicFact Card, string Peer, TransferSample AsIs, IReadOnlyList<OffloadTrial> Trials, IReadOnlyList<string> Fixed)
{
    /// <summary>A share of segments sent again above which a network between guests is ill.</summary>
    public const double MostRetransmitted = 0.01;

    /// <summary>The share of segments that were sent again.</summary>
    public double Retransmitted => AsIs.Sent > 0 ? (double)AsIs.Retransmitted / AsIs.Sent : 0;

    /// <summary>Whether something goes wrong on the way.</summary>
    public bool IsIll => AsIs.WrongChecksums > 0 || Retransmitted > MostRetransmitted;
}

/// <summary>Measures transfers between two guests, with and without each offload of the one's card; afterwards all is as it was.</summary>
/// <param name="run">Runs commands in the guest.</param>
/// <param name="options">The other end, and how much is sent.</param>
internal sealed class NetworkMeter(GuestCommand run, ProfileOptions options)
{
    private const int Rounds = 3;
    private const int OutputLimit = 4096;
    private const int TransferSeconds = 60;
    private static readonly CommandOptions s_short = new() { OutputLimit = OutputLimit, Limit = TimeSpan.FromMinutes(1) };
    private readonly ProfilePeer _peer = options.Peer!;

    /// <summary>Measures.</summary>
    /// <param name="card">The guest's card on the network of the peer's.</param>
    /// <param name="cancellationToken">Gives up; offloads are as they were all the same.</param>
    /// <exception cref="VirtigoException">The peer cannot be reached, or a guest says nonsense (<see cref="FailureKind.Guest"/>).</exception>
    public async Task<NetworkMeasurement> MeasureAsync(GuestNicFact card, CancellationToken cancellationToken)
    {
        options.Progress?.Report($"transfers between {options.MachineName} and {_peer.Name}");
        TransferSample all = await BothWaysAsync(cancellationToken);
        var trials = new List<OffloadTrial>();
        var rigid = new List<string>();
        foreach (string offload in ProfileTargets.Offloads)
        {
            if (await TryAsync(card, offload, cancellationToken) is { } trial)
            {
                trials.Add(trial);
                all = trial.AsIs.Aggregate(all, (sum, one) => sum.Plus(one));
            }
            else
            {
                rigid.Add(offload);
            }
        }

        return new NetworkMeasurement(card, _peer.Name, all, trials, rigid);
    }

    /// <summary>The result that a guest wrote; null when there is none.</summary>
    internal static TransferSample? Parse(string output)
    {
        string? line = output.Split('\n').FirstOrDefault(one => one.StartsWith("result ", StringComparison.Ordinal));
        long[] numbers = [.. (line ?? "").Split(' ').Skip(1).Select(word =>
            long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number : -1)];
        const long most = 1L << 50;
        return numbers is [var bytes, var nanoseconds, var sent, var again, var wrong] && numbers.All(number => number is >= 0 and < most) && nanoseconds > 0
            ? new TransferSample(bytes, nanoseconds / 1e9, sent, again, wrong)
            : null;
    }

    /// <summary>The transfers with an offload each way; null when the card does not let it be changed.</summary>
    private async Task<OffloadTrial?> TryAsync(GuestNicFact card, string offload, CancellationToken cancellationToken)
    {
        if (await AskAsync("get", card.Name, offload, null, cancellationToken) is not { } now)
        {
            return null;
        }

        string other = now == "on" ? "off" : "on";
        try
        {
            if (await AskAsync("set", card.Name, offload, other, cancellationToken) != other)
            {
                return null;
            }

            var (asIs, otherwise) = (new List<TransferSample>(), new List<TransferSample>());
            for (int round = 1; round <= Rounds; round++)
            {
                options.Progress?.Report($"{card.Name}: {offload} {other} and {now}, {round} of {Rounds}");
                await AskAsync("set", card.Name, offload, other, cancellationToken);
                otherwise.Add(await BothWaysAsync(cancellationToken));
                await AskAsync("set", card.Name, offload, now, cancellationToken);
                asIs.Add(await BothWaysAsync(cancellationToken));
            }

            return new OffloadTrial(card.Name, offload, now == "on", asIs, otherwise);
        }
        finally
        {
            await RestoreAsync(card.Name, offload, now);
        }
    }

    /// <summary>Gives an offload back, also when the measuring was given up.</summary>
    private async Task RestoreAsync(string card, string offload, string state)
    {
        if (await AskAsync("set", card, offload, state, CancellationToken.None) is { } left && left != state)
        {
            throw new VirtigoException(FailureKind.Guest, $"{card}: {offload} was {state} before it was measured, and cannot be set back: it is {left}.",
                $"In the guest: ethtool -K {card} {offload} {state}");
        }
    }

    private async Task<string?> AskAsync(string verb, string card, string offload, string? value, CancellationToken cancellationToken)
    {
        CommandResult result = await run(GuestMeter.Command(value is null ? [verb, card, offload] : [verb, card, offload, value]), s_short, cancellationToken);
        string state = result.Output.Trim();
        return state is "on" or "off" ? state : null;
    }

    private async Task<TransferSample> BothWaysAsync(CancellationToken cancellationToken)
    {
        TransferSample there = await TransferAsync(run, _peer.Run, _peer.Address, cancellationToken);
        return there.Plus(await TransferAsync(_peer.Run, run, _peer.GuestAddress, cancellationToken));
    }

    private async Task<TransferSample> TransferAsync(GuestCommand from, GuestCommand to, string address, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var listening = new PortLine();
        CommandOptions receiver = s_short with { OnOutput = listening.Take, Limit = TimeSpan.FromSeconds(TransferSeconds * 2) };
        Task<CommandResult> receiving = to(GuestMeter.Command("receive", address, Text(TransferSeconds)), receiver, ending.Token);
        try
        {
            if (await Task.WhenAny(listening.Port, receiving) == receiving && !listening.Port.IsCompleted)
            {
                throw Failed("the receiver did not start", await receiving);
            }

            string port = Text(await listening.Port);
            CommandResult sent = await from(GuestMeter.Command("send", address, port, Text(options.TransferBytes), Text(TransferSeconds)), receiver with { OnOutput = null }, cancellationToken);
            if (!sent.Succeeded || Parse(sent.Output) is not { } sending)
            {
                throw Failed("the sender failed", sent);
            }

            CommandResult received = await receiving;
            return received.Succeeded && Parse(received.Output) is { } result && result.Bytes == options.TransferBytes
                ? result with { Sent = sending.Sent, Retransmitted = sending.Retransmitted, WrongChecksums = result.WrongChecksums + sending.WrongChecksums }
                : throw Failed("not all arrived", received);
        }
        finally
        {
            await ending.CancelAsync();
            await ((Task)receiving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static VirtigoException Failed(string what, CommandResult result)
    {
        const int most = 200;
        string said = string.Concat(result.Error.Where(letter => letter is >= ' ' and < '\x7f')).Trim();
        return new VirtigoException(FailureKind.Guest, $"A transfer between two machines: {what}, exit code {result.ExitCode}{(said.Length > 0 ? $": {said[..Math.Min(said.Length, most)]}" : "")}.",
            "It needs perl in both, and a network between them that lets TCP through.");
    }

    /// <summary>The port that a receiver tells of before anything else.</summary>
    private sealed class PortLine
    {
        private readonly StringBuilder _line = new();
        private readonly TaskCompletionSource<long> _port = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<long> Port => _port.Task;

        public void Take(ReadOnlyMemory<byte> bytes, bool isError)
        {
            const int longest = 32;
            foreach (byte one in isError ? [] : bytes.Span)
            {
                if (one == '\n')
                {
                    if (_line.ToString().Split(' ') is ["port", var text] && ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
                    {
                        _port.TrySetResult(port);
                    }

                    _line.Clear();
                }
                else if (_line.Length < longest)
                {
                    _line.Append((char)one);
                }
            }
        }
    }
}
