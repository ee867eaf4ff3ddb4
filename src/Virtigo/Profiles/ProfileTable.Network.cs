using System.Globalization;

namespace Virtigo.Profiles;

/// <summary>The settings about networks.</summary>
internal static partial class ProfileTable
{
    private static ProfileSetting Network() => new("network",
        "What arrives between the guest and another machine",
        "Segments that are lost or arrive with wrong checksums are sent again: everything works, at a tenth of its speed.",
        "Transfers of a known size both ways; the kernels of both sides count segments sent again and wrong checksums (/proc/net/snmp, /proc/net/netstat).",
        "Nothing: what helps is under offloads.",
        "Nothing.",
        GuestKinds.All,
        (setting, _, measured) =>
        {
            if (measured.Network is not { } network)
            {
                return measured.NoPeer
                    ? setting.NotHere("not measured: that takes a second machine on a network of this one's, and none is up").Mended(
                        "Give the environment's file another machine on one of its networks, start it (virtigo up), and look again; --with names one of several.")
                    : setting.NotHere($"not measured: {measured.NoNetwork}");
            }

            string text = string.Create(CultureInfo.InvariantCulture,
                $"{network.AsIs.Megabits:0} Mbit/s between {network.Card.Name} and {network.Peer}, {network.AsIs.Retransmitted} of {network.AsIs.Sent} segments sent again, {network.AsIs.WrongChecksums} wrong checksums");
            Judgment judgment = network.IsIll
                ? setting.Elsewhere(FindingVerdict.Problem, text, "See under offloads; when nothing helps there, the network between the machines loses or bends frames.")
                : setting.Ok(text);
            return judgment with { Finding = judgment.Finding with { Number = Math.Round(network.AsIs.Megabits, 1), Unit = "Mbit/s" } };
        })
        {
            AtBuild = "Nothing: it is measured between two machines that run.",
        };

    private static ProfileSetting Offloads() => new("offloads",
        "What the guest leaves to its network card: checksums and the cutting and joining of segments",
        "A paravirtualised card may promise to cut large segments or to fill checksums in, and what is behind it does not: bridges drop them, peers see wrong checksums, TCP crawls. "
            + "Elsewhere the same offloads multiply the throughput. Only measuring tells.",
        "The kernel's ethtool interface; each offload that can be changed is measured both ways, in turn, three times.",
        "Only what helps: fewer errors (a quarter, from ten on), else a fifth more throughput, beyond chance. At once, and by an addition to the card's .link file at each boot.",
        WrittenBack,
        GuestKinds.All,
        (setting, _, measured) =>
        {
            if (measured.Network is not { } network)
            {
                return setting.NotHere(measured.NoPeer ? "not measured: see network" : $"not measured: {measured.NoNetwork}");
            }

            string rigid = network.Fixed.Count > 0 ? $"; the card does not let be changed: {string.Join(", ", network.Fixed)}" : "";
            string numbers = network.Trials.Count == 0 ? "nothing can be changed" : string.Join("; ", network.Trials.Select(trial => trial.Words));
            OffloadTrial[] helping = [.. network.Trials.Where(trial => trial.Reason != OffloadReason.None)];
            string text = $"{network.Card.Name}: {numbers}{rigid}";
            if (helping.Length == 0)
            {
                return setting.Ok(text);
            }

            bool ill = helping.Any(trial => trial.Reason == OffloadReason.FewerErrors);
            Judgment judgment = setting.Wrong(ill ? FindingVerdict.Problem : FindingVerdict.Advice, text,
            [
                .. network.Card.LinkFile.Length > 0 ? [ProfileChange.File(ProfileTargets.LinkAddition(network.Card.LinkFile), LinkText(network.Trials))] : Array.Empty<ProfileChange>(),
                .. helping.Select(trial => new ProfileChange(ChangeKind.Offload, $"{trial.Card} {trial.Offload}", trial.IsOn ? "off" : "on")),
            ]);
            return judgment with { Finding = judgment.Finding with { Number = Math.Round(helping.Max(trial => trial.Then), 1), Unit = "Mbit/s" } };
        })
        {
            AtBuild = "Nothing: only measuring between two machines that run tells what helps.",
        };

    private static ProfileSetting Card() => new("card",
        "Whether network cards are paravirtualised",
        "A card of a real machine, emulated, takes a trap for every register: a tenth of the throughput, and all of a processor.",
        "/sys/class/net/*/device/driver",
        "Nothing: what cards a guest has is its host's decision.",
        "Nothing.",
        [GuestKind.Kvm, GuestKind.Tcg, GuestKind.XenPv, GuestKind.XenPvh, GuestKind.XenHvm],
        (setting, facts, _) =>
        {
            string[] emulated = ["e1000", "e1000e", "8139cp", "8139too", "pcnet32", "ne2k-pci", "tulip", "vmxnet3"];
            GuestNicFact[] slow = [.. facts.Nics.Where(nic => emulated.Contains(nic.Driver))];
            string cards = string.Join(", ", facts.Nics.Select(nic => nic.Driver.Length > 0 ? $"{nic.Name} by {nic.Driver}" : nic.Name));
            return facts.Nics.Count == 0 ? setting.NotHere("there is no network card")
                : slow.Length == 0 ? setting.Ok(cards)
                : setting.Elsewhere(FindingVerdict.Advice, cards, Xen.Contains(facts.Kind)
                    ? "On the host, in the domain's configuration: vif = ['type=vif'], and a kernel in the guest that unplugs emulated cards (xen_emul_unplug=nics)."
                    : "On the host: give the guest virtio-net.");
        })
        {
            NotFor = "User-Mode Linux has no emulated cards",
            AtBuild = "Nothing: what cards a guest has is its host's decision.",
        };

    /// <summary>The addition to a <c>.link</c> file that sets all offloads that were tried, those that help no more too: it replaces an earlier one.</summary>
    internal static string LinkText(IEnumerable<OffloadTrial> trials) =>
        "[Link]\n" + string.Concat(trials.Select(trial => $"{LinkKey(trial.Offload)}={(trial.IsOn == (trial.Reason == OffloadReason.None) ? "yes" : "no")}\n"));

    private static string LinkKey(string offload) => offload switch
    {
        "rx" => "ReceiveChecksumOffload",
        "tx" => "TransmitChecksumOffload",
        "tso" => "TCPSegmentationOffload",
        "gso" => "GenericSegmentationOffload",
        _ => "GenericReceiveOffload",
    };
}
