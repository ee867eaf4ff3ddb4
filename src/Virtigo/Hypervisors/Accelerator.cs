namespace Virtigo.Hypervisors;

/// <summary>How a guest's code runs.</summary>
public enum Accelerator
{
    /// <summary>The best that was proven to work.</summary>
    Auto,

    /// <summary>On the processor itself.</summary>
    Kvm,

    /// <summary>Emulated: works everywhere, slower.</summary>
    Tcg,

    /// <summary>The kernel is an ordinary program and takes its programs' system calls by ptrace: User-Mode Linux.</summary>
    Ptrace,

    /// <summary>In a domain of Xen, the machine that Virtigo itself runs in being another.</summary>
    Xen,
}

/// <summary>What a probe guest found out about this host.</summary>
/// <param name="Accelerator">What guests are to use; never <see cref="Accelerator.Auto"/>.</param>
/// <param name="Reason">Why KVM is not used; null when it is.</param>
/// <param name="Hint">What to do to have KVM, or null when nothing is known to help.</param>
/// <param name="Speed">The measured speed of guests here.</param>
/// <param name="FromCache">The answer is of an earlier probe since the host booted.</param>
public sealed record AcceleratorReport(Accelerator Accelerator, string? Reason, string? Hint, HostSpeed Speed, bool FromCache)
{
    /// <summary>
    /// The speed that time limits go by. A kernel that is a program boots fast, and starts programs slowly: there, limits are those of the reference
    /// machine at least.
    /// </summary>
    public HostSpeed Limits => Accelerator == Accelerator.Ptrace && Speed.Factor < 1 ? HostSpeed.OfReference : Speed;

    /// <summary>The sentence to show once when guests are emulated: why, and what it costs. Null under KVM.</summary>
    public string? Announcement => Accelerator switch
    {
        Accelerator.Kvm => null,
        Accelerator.Xen => string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"Guests run in domains of Xen: {Reason}; a kernel boots in {Speed.ProbeTime.TotalSeconds:0.0} s here."),
        Accelerator.Ptrace => string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"Guests run in User-Mode Linux: {Reason}; a kernel boots in {Speed.ProbeTime.TotalSeconds:0.0} s here."),
        _ => string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"No KVM: {Reason}. Guests are emulated (TCG), which takes 5 to 20 times as long; a kernel boots in {Speed.ProbeTime.TotalSeconds:0.0} s here."),
    };
}

/// <summary>The speed of guests on this host, measured by booting a kernel without a root file system until it panics.</summary>
/// <param name="ProbeTime">How long that boot took.</param>
public readonly record struct HostSpeed(TimeSpan ProbeTime)
{
    /// <summary>The probe's time on the machine on which time limits are written down (2 cores, TCG).</summary>
    public static readonly TimeSpan Reference = TimeSpan.FromSeconds(4);

    /// <summary>The speed of the machine on which time limits are written down.</summary>
    public static HostSpeed OfReference => new(Reference);

    /// <summary>How many times as long as on the reference machine things take here: above 1 is slower.</summary>
    public double Factor => ProbeTime / Reference;

    /// <summary>
    /// A time limit written for the reference machine, as it is on this host. Never below a quarter of what was written,
    /// since disks and networks do not get faster with the processor, nor above twenty times.
    /// </summary>
    public TimeSpan Scale(TimeSpan limit) => limit * Math.Clamp(Factor, 0.25, 20);
}
