namespace Virtigo.Profiles;

/// <summary>What a guest runs on, as its kernel sees it. libvirt is none of its own: its guests are those of the hypervisor below.</summary>
public enum GuestKind
{
    /// <summary>None of those known.</summary>
    Unknown,

    /// <summary>QEMU with KVM.</summary>
    Kvm,

    /// <summary>QEMU that emulates the processor.</summary>
    Tcg,

    /// <summary>User-Mode Linux.</summary>
    Uml,

    /// <summary>Xen, paravirtualised.</summary>
    XenPv,

    /// <summary>Xen, with hardware virtualisation and without emulated devices.</summary>
    XenPvh,

    /// <summary>Xen, with hardware virtualisation and an emulated PC.</summary>
    XenHvm,
}

/// <summary>The names of kinds of guests, and the words that mean them.</summary>
public static class GuestKinds
{
    /// <summary>Every kind that has a profile.</summary>
    public static IReadOnlyList<GuestKind> All { get; } = [GuestKind.Kvm, GuestKind.Tcg, GuestKind.Uml, GuestKind.XenPv, GuestKind.XenPvh, GuestKind.XenHvm];

    /// <summary>The words that <see cref="Meant"/> takes.</summary>
    public static IReadOnlyList<string> Words { get; } = [.. All.Select(NameOf), "qemu", "libvirt", "xen"];

    /// <summary>The name of a kind, as the command writes it.</summary>
    /// <param name="kind">The kind.</param>
    public static string NameOf(GuestKind kind) => kind switch
    {
        GuestKind.Kvm => "kvm",
        GuestKind.Tcg => "tcg",
        GuestKind.Uml => "uml",
        GuestKind.XenPv => "xen-pv",
        GuestKind.XenPvh => "xen-pvh",
        GuestKind.XenHvm => "xen-hvm",
        _ => "unknown",
    };

    /// <summary>The kinds that a word means: one by its name, or those of a hypervisor.</summary>
    /// <param name="word">One of <see cref="Words"/>.</param>
    /// <exception cref="VirtigoException">It is none (<see cref="FailureKind.Usage"/>).</exception>
    public static IReadOnlyList<GuestKind> Meant(string word) => word switch
    {
        "qemu" or "libvirt" => [GuestKind.Kvm, GuestKind.Tcg],
        "xen" => [GuestKind.XenPv, GuestKind.XenPvh, GuestKind.XenHvm],
        _ => All.Where(kind => NameOf(kind) == word).ToArray() is [GuestKind one] ? [one]
            : throw new VirtigoException(FailureKind.Usage, $"There is no profile '{word}'{(Host.NearMatches.Of(word, Words) is [string near, ..] ? $"; did you mean {near}?" : ".")}",
                $"Profiles: {string.Join(", ", Words)}."),
    };
}
