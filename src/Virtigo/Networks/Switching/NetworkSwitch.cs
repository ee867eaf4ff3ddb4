namespace Virtigo.Networks;

/// <summary>Signatures.</summary>
internal sealed class NetworkSwitch : IAsyncDisposable
{
    private NetworkSwitch(SwitchOptions options) => Options = options;

    /// <summary>The options.</summary>
    public SwitchOptions Options { get; }

    /// <summary>What guests wanted and did not get, of all networks.</summary>
    public IReadOnlyList<GatewayRefusal> Refusals { get; } = [];

    /// <summary>Listens on every port; guests can be started when this returns.</summary>
    public static NetworkSwitch Start(SwitchOptions options) => new(options);

    /// <summary>What guests of one network wanted and did not get.</summary>
    public IReadOnlyList<GatewayRefusal> RefusalsOf(string network) => Refusals;

    /// <summary>What happened at a port.</summary>
    public PortCounters CountersOf(string machine, string network) => Options.Networks.Count == 0 ? default : throw new NotSupportedException();

    /// <summary>Whether a guest is connected to the port.</summary>
    public bool IsConnected(string machine, string network) => Options.StartFrozen;

    /// <summary>Replaces the fault of every link that is selected.</summary>
    public void SetFault(LinkSelector selector, LinkFault fault) => throw new NotSupportedException();

    /// <summary>Ends the faults of every link that is selected, or of all.</summary>
    public void ClearFaults(LinkSelector? selector = null) => throw new NotSupportedException();

    /// <summary>Cuts these links whatever their faults, and only these; an empty list heals.</summary>
    public void SetPartition(IReadOnlyList<LinkSelector> cuts) => throw new NotSupportedException();

    /// <summary>Records frames.</summary>
    public SwitchCapture Capture(CapturePoint point, string path, long limit = 64 << 20) => throw new NotSupportedException();

    /// <summary>Stops delivery and time; guests go on. Waits until guests have taken what was written.</summary>
    /// <returns>False when some guest did not within the limit; what it did not take is lost to a snapshot.</returns>
    public Task<bool> FreezeAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Takes in everything the paused guests have sent, and copies what is in flight. Frozen only.</summary>
    public Task<SwitchState> CollectAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Goes on after <see cref="FreezeAsync"/> or a frozen start.</summary>
    public void Thaw() => throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}

/// <summary>What to record: a network (every frame once), a machine's port (both directions), or the link of two machines.</summary>
/// <param name="Network">The network.</param>
/// <param name="Machine">The machine, or null for the whole network.</param>
/// <param name="Peer">The other machine, or null for any.</param>
internal sealed record CapturePoint(string Network, string? Machine = null, string? Peer = null);

/// <summary>A running capture; its end completes the file.</summary>
internal sealed class SwitchCapture : IAsyncDisposable
{
    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;
}

/// <summary>What a switch had in flight at one instant.</summary>
internal sealed class SwitchState
{
    /// <summary>The state as bytes.</summary>
    public byte[] ToBytes() => _bytes;

    private readonly byte[] _bytes = [];

    /// <summary>Reads what <see cref="ToBytes"/> wrote.</summary>
    /// <exception cref="VirtigoException">The bytes are no such state.</exception>
    public static SwitchState Read(ReadOnlySpan<byte> bytes) => throw new NotSupportedException();
}
