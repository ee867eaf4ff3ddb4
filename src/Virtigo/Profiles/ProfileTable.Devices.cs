namespace Virtigo.Profiles;

/// <summary>The settings about devices, the agent and the kernel.</summary>
internal static partial class ProfileTable
{
    private const string VirtioRng = "0x0004";
    private const string VirtioBalloon = "0x0005";
    private const long FullPool = 256;

    private static ProfileSetting Entropy() => new("entropy",
        "Where the guest's random numbers come from",
        "A guest without a source waits for entropy when keys are made at its first boot, sometimes for minutes; and copies of one image begin with the same numbers.",
        "/sys/class/misc/hw_random/rng_current and /proc/sys/kernel/random/entropy_avail",
        "The driver is loaded, and a file in /etc/modules-load.d loads it at each boot.",
        WrittenBack,
        GuestKinds.All,
        (setting, facts, _) => facts.Value("rng") is { Length: > 0 } source and not "none"
            ? setting.Ok($"{source} feeds the kernel")
            : facts.VirtioDriven(VirtioRng) == false
                ? setting.Wrong(FindingVerdict.Advice, "the host gives a source (virtio-rng), and the guest has no driver loaded for it",
                    ProfileChange.File(ProfileTargets.RngFile, ProfileTargets.Rng + "\n"), new ProfileChange(ChangeKind.Module, ProfileTargets.Rng, "loaded"))
                : facts.Number("entropy") is not { } pool ? setting.NotHere("no device, and the kernel does not say whether its generator is seeded")
                : pool >= FullPool ? setting.Ok("no device, but the kernel's generator is seeded")
                : setting.Elsewhere(FindingVerdict.Problem, "no device, and the kernel's generator is not seeded", Qemu.Contains(facts.Kind)
                    ? "On the host: QEMU's -device virtio-rng-pci"
                    : "In the machine's spec: packages: [rng-tools-debian], or a processor with RDRAND"))
        {
            AtBuild = "Nothing: where there is such a device, udev loads its driver.",
        };

    private static ProfileSetting Discard() => new("discard",
        "Whether what is deleted in the guest becomes free on the host",
        "Without it the file of a guest's disk only grows, up to the disk's whole size.",
        "The root disk's queue/discard_max_bytes, and the unit fstrim.timer.",
        "The timer is unmasked, enabled and started.",
        "It is stopped, disabled or masked again, as it was.",
        GuestKinds.All,
        (setting, facts, _) => facts.Number("discard") switch
        {
            null => setting.NotHere("the root is on no disk that says"),
            0 => setting.Elsewhere(FindingVerdict.Advice, "the root's disk takes no discards", "On the host: QEMU's discard=unmap; of an encrypted disk, the option discard in the guest's /etc/crypttab"),
            _ when facts.Unit(ProfileTargets.Trim) is { Load: "not-found" or "" } => setting.NotHere("the disk takes discards, but the guest has no fstrim.timer"),
            _ when facts.Unit(ProfileTargets.Trim) is { Active: "active", File: "enabled" } => setting.Ok("the disk takes discards, and fstrim.timer runs"),
            _ => setting.Wrong(FindingVerdict.Advice, $"the disk takes discards, but fstrim.timer is {Words(facts.Unit(ProfileTargets.Trim))}",
                new ProfileChange(ChangeKind.Unit, ProfileTargets.Trim, ProfileChange.On)),
        })
        {
            AtBuild = "The timer is unmasked and enabled.",
            Build = _ => [BuildStep.Unit([ProfileTargets.Trim])],
        };

    private static ProfileSetting Balloon() => new("balloon",
        "Whether the host can take memory back that the guest does not use",
        "A host that shares its memory out and has a balloon device in the guest counts on the guest's driver.",
        "The virtio devices and their drivers.",
        "The driver is loaded, and a file in /etc/modules-load.d loads it at each boot.",
        WrittenBack,
        Qemu,
        (setting, facts, _) => facts.VirtioDriven(VirtioBalloon) switch
        {
            null => setting.NotHere("the host gives no balloon"),
            true => setting.Ok("the balloon has its driver"),
            _ => setting.Wrong(FindingVerdict.Advice, "the host gives a balloon, and the guest has no driver loaded for it",
                ProfileChange.File(ProfileTargets.BalloonFile, ProfileTargets.Balloon + "\n"), new ProfileChange(ChangeKind.Module, ProfileTargets.Balloon, "loaded")),
        })
        {
            NotFor = "only QEMU gives a virtio balloon; the kernels of Xen's guests have theirs built in, and User-Mode Linux has none",
            AtBuild = "Nothing: where there is such a device, udev loads its driver.",
        };

    private static ProfileSetting Agent() => new("agent",
        "The guest agent, by which the host asks the guest to shut down, to freeze its disks, to run commands",
        "Without it a backup catches files half written, and a shutdown is a button that may be ignored.",
        "The unit qemu-guest-agent.service.",
        "The service is unmasked and started.",
        "It is stopped or masked again, as it was.",
        Qemu,
        (setting, facts, _) => facts.Unit(ProfileTargets.GuestAgent) switch
        {
            { Active: "active", File: not ("masked" or "masked-runtime") } => setting.Ok("qemu-guest-agent runs"),
            { Load: "loaded" or "masked" } unit when unit.Load == "loaded" || facts.Has("qemu-ga") => setting.Wrong(FindingVerdict.Advice,
                $"qemu-guest-agent is {Words(unit)}", new ProfileChange(ChangeKind.Unit, ProfileTargets.GuestAgent, ProfileChange.On)),
            _ => setting.Elsewhere(FindingVerdict.Advice, "qemu-guest-agent is not installed", "In the machine's spec: packages: [qemu-guest-agent]"),
        })
        {
            NotFor = "the channel that starts the agent by itself is QEMU's; elsewhere Virtigo starts it",
            AtBuild = "The agent is installed, and unmasked.",
            Packages = ["qemu-guest-agent"],
            Build = _ => [BuildStep.Unit([ProfileTargets.GuestAgent])],
        };

    private static ProfileSetting Console() => new("console",
        "Whether the kernel speaks on the console that the hypervisor records",
        "A guest that dies at boot says why on its console; when that is a screen nobody looks at, nothing is known.",
        "console= on the kernel's command line.",
        "By a file in /etc/default/grub.d and update-grub; it counts from the next boot.",
        "The file is removed, and update-grub run.",
        GuestKinds.All,
        (setting, facts, _) =>
        {
            string wanted = Xen.Contains(facts.Kind) ? "hvc0" : "ttyS0";
            string[] consoles = [.. facts.KernelArguments.Where(word => word.StartsWith("console=", StringComparison.Ordinal)).Select(word => word["console=".Length..])];
            bool has = consoles.Any(console => console.Split(',')[0] == wanted || (facts.Kind == GuestKind.XenHvm && console.StartsWith("ttyS0", StringComparison.Ordinal)));
            string text = consoles.Length == 0 ? "none is said" : string.Join(", ", consoles);
            return has ? setting.Ok(text)
                : facts.Has("update-grub") ? setting.Wrong(FindingVerdict.Advice, $"{text}; {wanted} is missing", Grub(ProfileTargets.ConsoleFile, $"console={wanted}"))
                : setting.Elsewhere(FindingVerdict.Advice, $"{text}; {wanted} is missing", $"Add console={wanted} to the kernel's command line where the guest is started.");
        })
        {
            AtBuild = "console= for the kernel, by a file in /etc/default/grub.d, unless it is there: hvc0 for Xen, else ttyS0. Where an image is for others beside Xen, "
                + "hvc0 comes first: the last one is where the system's own messages go.",
            Build = ConsoleSteps,
        };

    private static ProfileSetting KernelArguments() => new("kernel-arguments",
        "Arguments that the kernel needs on this hypervisor",
        "An emulated processor on a busy host loses timer interrupts while the kernel checks its timer, and the kernel then panics (\"IO-APIC + timer doesn't work\"); "
            + "under KVM the kernel leaves the check out by itself.",
        "/proc/cmdline",
        "By a file in /etc/default/grub.d and update-grub; it counts from the next boot. Harmless on any other hypervisor.",
        "The file is removed, and update-grub run.",
        [GuestKind.Tcg],
        (setting, facts, _) => facts.KernelArguments.Contains("no_timer_check") ? setting.Ok("no_timer_check is there")
            : facts.Has("update-grub") ? setting.Wrong(FindingVerdict.Advice, "no_timer_check is missing", Grub(ProfileTargets.KernelFile, "no_timer_check"))
            : setting.Elsewhere(FindingVerdict.Advice, "no_timer_check is missing", "Add no_timer_check to the kernel's command line where the guest is started."))
        {
            NotFor = "only the timer of an emulated processor is lost",
            AtBuild = "By a file in /etc/default/grub.d, unless it is there. Harmless on any other hypervisor.",
            Build = _ => [BuildStep.Kernel(ProfileTargets.KernelFile, "no_timer_check", first: false)],
        };

    private static ProfileChange Grub(string file, string argument) => ProfileChange.File(file, BuildStep.GrubText(argument, first: false));

    private static IReadOnlyList<BuildStep> ConsoleSteps(ProfileImage image) =>
    [
        .. image.Kinds.Any(Xen.Contains) ? [BuildStep.Kernel(ProfileTargets.ConsoleFile, "console=hvc0", first: image.KeepsConsole || !image.All.All(Xen.Contains))] : Array.Empty<BuildStep>(),
        .. image.Kinds.All(Xen.Contains) ? Array.Empty<BuildStep>() : [BuildStep.Kernel(ProfileTargets.SerialFile, "console=ttyS0", first: false)],
    ];

    private static string Words(GuestUnitFact unit) => unit switch
    {
        { File: "masked" or "masked-runtime" } => "masked",
        { File: "disabled" } => "disabled",
        _ => "not running",
    };
}
