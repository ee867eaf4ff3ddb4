namespace Virtigo.Profiles;

/// <summary>Every setting of every profile, in the order in which they are told.</summary>
internal static partial class ProfileTable
{
    private const string WrittenBack = "What was there before is written back, at once and for later boots.";

    /// <summary>The settings.</summary>
    public static IReadOnlyList<ProfileSetting> All { get; } =
    [
        Clock(), ClockSource(), Ntp(), Wallclock(),
        Network(), Offloads(), Card(),
        Entropy(), Discard(), Balloon(), Agent(), Console(), KernelArguments(),
    ];

    private static IReadOnlyList<GuestKind> Qemu => [GuestKind.Kvm, GuestKind.Tcg];

    private static IReadOnlyList<GuestKind> Xen => [GuestKind.XenPv, GuestKind.XenPvh, GuestKind.XenHvm];

    /// <summary>The settings that a kind of guest does not have.</summary>
    public static IEnumerable<ProfileSetting> NotOf(GuestKind kind) => All.Except(Of(kind));

    /// <summary>The settings of a kind of guest; those that are right anywhere for one that is not known.</summary>
    public static IEnumerable<ProfileSetting> Of(GuestKind kind) => All.Where(setting => kind == GuestKind.Unknown
        ? setting.Kinds.Count == GuestKinds.All.Count
        : setting.Kinds.Contains(kind));
}
