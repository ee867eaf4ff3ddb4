using System.Collections.Frozen;

namespace Virtigo.Networks;

/// <summary>What a guest finds behind its network card.</summary>
internal sealed record GuestGatewayOptions
{
    /// <summary>The smallest packet size every IPv4 link must carry with TCP worth using.</summary>
    public const int MinimumMtu = 576;

    /// <summary>The largest packet size a virtio card can be told (<c>host_mtu</c>) with QEMU's buffers.</summary>
    public const int MaximumMtu = 65520;

    /// <summary>The unix socket to listen on, at most 107 bytes long. Its folder is created, and must be, for its owner alone.</summary>
    public required string SocketPath { get; init; }

    /// <summary>The names answered with the gateway's address; every other name does not exist.</summary>
    public required IReadOnlyCollection<string> DnsNames { get; init; }

    /// <summary>The largest packet, in bytes; give the network card the same.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>The network of gateway (second host) and guest.</summary>
    public Ipv4Subnet Subnet { get; init; } = new(Ipv4Address.Of(10, 0, 2, 0), 24);

    /// <summary>The domain told to the guest, or null for none.</summary>
    public string? Domain { get; init; }

    /// <summary>The TCP ports of the gateway that are served.</summary>
    public IReadOnlySet<int> TcpPorts { get; init; } = FrozenSet.Create(80);

    /// <summary>The most connections open at a time.</summary>
    public int MaxConnections { get; init; } = 64;

    /// <summary>Drives every timer.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Called once for each thing refused that was not refused before; must not block.</summary>
    public Action<GatewayRefusal>? OnRefusal { get; init; }

    /// <summary>Called with what a connection's handler threw (that connection is reset), or what broke a guest's link.</summary>
    public Action<Exception>? OnFailure { get; init; }

    /// <summary>Sizes and times of TCP.</summary>
    public TcpTuning Tcp { get; init; } = new();

    /// <summary>Refuses values that cannot work.</summary>
    /// <exception cref="VirtigoException">Kind <see cref="FailureKind.Host"/> for the path, <see cref="FailureKind.Usage"/> for the rest.</exception>
    public void Validate()
    {
        GuestSocket.CheckPath(SocketPath);
        if (Mtu is < MinimumMtu or > MaximumMtu)
        {
            throw new VirtigoException(FailureKind.Usage, $"The MTU {Mtu} is outside {MinimumMtu} to {MaximumMtu} bytes.");
        }

        if (Domain is { Length: > 200 })
        {
            throw new VirtigoException(FailureKind.Usage, $"The domain '{Domain}' is longer than 200 characters.");
        }
    }
}
