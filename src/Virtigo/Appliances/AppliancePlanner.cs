using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Installers.Debian;
using Virtigo.Installers.Ubuntu;

namespace Virtigo.Appliances;

/// <summary>Decides every value of an appliance: the spec's own, else the user's configuration, else the host's, else Virtigo's.</summary>
/// <param name="environment">What may be asked of the host and the archive.</param>
public sealed class AppliancePlanner(PlannerEnvironment environment)
{
    /// <summary>Makes the plan of a spec.</summary>
    /// <param name="spec">What the user wrote.</param>
    /// <param name="cancellationToken">Ends the planning.</param>
    /// <exception cref="VirtigoException">
    /// The configuration is wrong, no mirror is known, a value does not exist on this host, or the archive does not answer.
    /// </exception>
    public async Task<AppliancePlan> PlanAsync(ApplianceSpec spec, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec.From is { } from
            ? await LayerAsync(spec, new(await PlanAsync(from.Value, cancellationToken), from.Origin), cancellationToken)
            : await WholeAsync(spec, cancellationToken);
    }

    /// <summary>The plan of what a spec adds; everything else is as in the plan it builds on.</summary>
    private async Task<AppliancePlan> LayerAsync(ApplianceSpec spec, Setting<AppliancePlan> from, CancellationToken cancellationToken)
    {
        if (InstallWay.NotShared(from.Value) is { } reason)
        {
            throw new VirtigoException(FailureKind.Usage, $"{from.Origin}: from: nothing can build on {from.Value.Name.Value}, whose installer is never saved: {reason}.",
                "Write include instead of from: then it is one appliance.");
        }

        if ((spec.Hypervisor ?? from.Value.Hypervisor) is { Value: not (HypervisorChoice.Auto or QemuHypervisor.KindName) } wish)
        {
            throw new VirtigoException(FailureKind.Usage, $"{wish.Origin}: hypervisor: {wish.Value} cannot install what builds on another appliance: it saves no installer to go on from.",
                "Leave hypervisor out, or write include instead of from: then it is one appliance.");
        }

        AppliancePlan plan = from.Value with
        {
            Hypervisor = spec.Hypervisor ?? from.Value.Hypervisor,
            Name = spec.Name,
            Hostname = HostnameOf(spec),
            From = from,
            Packages = Packages(spec, null, []),
            Target = TargetPlan.None,
        };
        return await WithTargetAsync(spec, plan, SpecFolder.Of(spec.Values!.File), null, cancellationToken);
    }

    private async Task<AppliancePlan> WholeAsync(ApplianceSpec spec, CancellationToken cancellationToken)
    {
        UserConfig config = await UserConfig.LoadAsync(environment.Paths, cancellationToken);
        bool isUbuntu = spec.Distribution?.Value == UbuntuPlanner.Distribution;
        (isUbuntu ? UbuntuPlanner.Refuse : (Action<ApplianceSpec>)UbuntuPlanner.RefuseElsewhere)(spec);
        MirrorChoice mirrors = isUbuntu ? UbuntuPlanner.Mirrors(spec) : MirrorChoice.Make(spec, config, environment);
        Setting<long> bytes = spec.DiskBytes ?? config.Get<long>("disk.size") ?? Default(SpecKeys.DefaultDiskBytes, "sparse, so unused space costs nothing");
        Setting<FirmwareKind> firmware = DiskPlanner.Firmware(spec.Values, config);
        SpecFolder folder = SpecFolder.Of(spec.Values?.File ?? "spec.yml");
        var secrets = new SecretSource(folder, environment, spec.Answered);
        Setting<int> memory = spec.MemoryMiB ?? config.MemoryMiB ?? Default(SpecKeys.DefaultMemoryMiB, "enough for the installer and a small server");
        Setting<Passphrase>? passphrase = await DiskPlanner.PassphraseAsync(spec.Values, config, secrets, memory,
            async found => (await PasswordHasher.OpenAsync(environment.Paths, cancellationToken)).Digest(found, $"{spec.Name.Value}\0disk"), cancellationToken);
        Setting<ApplianceUser?> user = await UserAsync(spec, secrets, cancellationToken);
        var plan = new AppliancePlan
        {
            Name = spec.Name,
            Distribution = spec.Distribution ?? Default("debian", "the distribution Virtigo knows best"),
            Release = isUbuntu ? UbuntuPlanner.Release(spec)
                : spec.Lock is { } locked ? Locked(locked, spec.Release)
                : await ReleaseAsync(spec.Release ?? config.Get<string>("release"), mirrors.Mirrors.Value, cancellationToken),
            Architecture = spec.Architecture ?? Default("amd64", "the architecture Virtigo builds for"),
            Mirror = new(mirrors.Mirrors.Value[0], mirrors.Mirrors.Origin),
            OtherMirrors = new([.. mirrors.Mirrors.Value.Skip(1)], mirrors.Mirrors.Origin),
            SecurityMirror = mirrors.Security,
            Hostname = HostnameOf(spec),
            Domain = spec.Values?.Get<string>("network.domain") ?? Default(SpecKeys.DefaultDomain, "the domain reserved for private use"),
            Packages = Packages(spec, user.Value, []),
            DiskBytes = bytes,
            Firmware = firmware,
            Disk = DiskPlanner.Plan(spec.Values, config, firmware.Value, bytes, passphrase),
            Hypervisor = HypervisorOf(spec, config),
            MemoryMiB = memory,
            Cpus = spec.Cpus ?? config.Get<int>("cpus") ?? Default(SpecKeys.DefaultCpus, "without KVM a second one costs 15 % more host CPU time"),
            Locale = spec.Locale ?? config.Get<string>("locale") ?? Default(SpecKeys.DefaultLocale, "needs no generating"),
            TimeZone = KnownZone(spec.TimeZone ?? config.Get<string>("timezone") ?? Default(SpecKeys.DefaultTimeZone, "servers' clocks agree")),
            Keyboard = spec.Keyboard ?? config.Get<string>("keyboard") ?? Default(SpecKeys.DefaultKeyboard, "the installer's own default"),
            User = user,
            RootPasswordHash = await RootAsync(spec, secrets, cancellationToken),
            Lock = spec.Lock,
            Medium = isUbuntu ? UbuntuPlanner.Medium(spec, config, folder) : null,
            Keyring = spec.Keyring,
            Autoinstall = spec.Autoinstall?.Value.Answers,
        };
        if (spec.Values is not null)
        {
            plan = await WithTargetAsync(spec, plan, folder, secrets, cancellationToken);
        }

        if (isUbuntu && plan.Disk.Value.Further.Count > 0)
        {
            throw new VirtigoException(FailureKind.Usage, $"{plan.Disk.Origin}: disk.disks is not translated for Ubuntu's installer yet.", "Keep everything on the first disk.");
        }

        CheckInstallMachine(plan);

        // Everything that its installer would not accept is known before anything is fetched.
        _ = isUbuntu ? UbuntuAnswers.Of(plan.ToUbuntuChoices()) : null;
        return plan;
    }

    private async Task<AppliancePlan> WithTargetAsync(
        ApplianceSpec spec, AppliancePlan plan, SpecFolder folder, SecretSource? secrets, CancellationToken cancellationToken)
    {
        secrets ??= new SecretSource(folder, environment, spec.Answered);
        Func<Task<PasswordHasher>> openHasher = () => PasswordHasher.OpenAsync(environment.Paths, cancellationToken);
        var target = new TargetPlanner(spec, folder, secrets, openHasher);
        plan = plan with
        {
            Target = await target.PlanAsync(plan, cancellationToken),
            Packages = Packages(spec, plan.From is null ? plan.User.Value : null, [.. target.Needs.Where(need => !IsInstalledBelow(plan, need.Package))]),
        };
        if (plan.From is null)
        {
            var preseed = new PreseedPlanner(spec.Values!, folder, secrets, openHasher);
            plan = plan with { Preseed = await preseed.PlanAsync(plan, cancellationToken) };
        }

        return plan with { SpecFiles = [.. spec.Parts, .. folder.Taken] };
    }

    private static bool IsInstalledBelow(AppliancePlan plan, string package) =>
        plan.Below.Any(below => below.Packages.Value.Select(PackageWish.Parse).Any(wish => wish.Name == package && !wish.Remove));

    private static Setting<string> HypervisorOf(ApplianceSpec spec, UserConfig config) =>
        spec.Hypervisor ?? config.Get<string>("hypervisor") ?? Default(HypervisorChoice.Auto, "the fastest that can");

    /// <summary>Refuses what cannot be installed where it is to be: by a kernel that has no modules, or in a machine that boots from no disk.</summary>
    private static void CheckInstallMachine(AppliancePlan plan)
    {
        DebianDisk disk = plan.Disk.Value;
        if (!plan.InstallMachine().HasFirmware && (plan.IsUbuntu() ? "Ubuntu's installer runs from a disc"
            : disk.Firmware != FirmwareKind.Bios ? "it has no firmware to prepare the disk for"
            : disk.Lvm || disk.Grow || disk.Further.Count > 0 || disk.FileSystems.Any(kind => kind != "ext4")
                ? $"it can lay out one disk with ext4 and swap that stays as it is, and the disk is: {DiskPlanner.Describe(disk)}" : null) is { } reason)
        {
            throw new VirtigoException(FailureKind.Usage, $"{plan.Hypervisor.Origin}: hypervisor: {plan.Hypervisor.Value} cannot install this appliance: {reason}.",
                "Leave hypervisor out, and it is installed by qemu; what it makes boots on all.");
        }
    }

    private static Setting<string> HostnameOf(ApplianceSpec spec) => spec.Hostname ?? new(spec.Name.Value, new(OriginKind.Derived, "the appliance's name"));

    private static Setting<string> Locked(Setting<ApplianceLock> locked, Setting<string>? wanted)
    {
        string codename = locked.Value.Release;
        return wanted is null || wanted.Value == codename || Moves(wanted.Value) ? new(codename, locked.Origin)
            : throw new VirtigoException(FailureKind.Usage,
                $"{wanted.Origin}: release: {wanted.Value} is asked for, but {locked.Origin} is of {codename}.",
                "Lock anew with virtigo lock --update, or build without it: --unlocked.");
    }

    // A codename stays what it is; the names that move are all of these shapes.
    private static bool Moves(string release) => release is "testing" or "unstable" || release.EndsWith("stable", StringComparison.Ordinal);

    private static Setting<T> Default<T>(T value, string reason) => new(value, new Origin(OriginKind.Default, reason));

    private static Setting<IReadOnlyList<string>> Packages(ApplianceSpec spec, ApplianceUser? user, IReadOnlyList<PackageNeed> needs)
    {
        Setting<IReadOnlyList<string>> wanted = spec.Packages ?? Default<IReadOnlyList<string>>([], "nothing on top of the standard system");
        if (user is { SshKeys.Count: > 0 })
        {
            needs = [new PackageNeed("openssh-server", $"the ssh keys of {user.Name}"), .. needs];
        }

        foreach (PackageNeed need in needs)
        {
            PackageWish? written = wanted.Value.Select(PackageWish.Parse).FirstOrDefault(wish => wish.Name == need.Package);
            if (written is { Remove: true })
            {
                throw new VirtigoException(FailureKind.Usage, $"{wanted.Origin}: packages: {need.Package} is to be removed, yet it is needed for {need.Reason}.",
                    $"Leave out -{need.Package}, or what needs it.");
            }

            if (written is null)
            {
                wanted = new([.. wanted.Value, need.Package], new Origin(OriginKind.Derived, $"{wanted.Origin}; {need.Package} for {need.Reason}"));
            }
        }

        return wanted with { Value = [.. wanted.Value.Distinct().Order(StringComparer.Ordinal)] };
    }

    private async Task<Setting<string>> ReleaseAsync(Setting<string>? wanted, IReadOnlyList<Uri> mirrors, CancellationToken cancellationToken)
    {
        if (wanted is not null && !Moves(wanted.Value))
        {
            return wanted;
        }

        string suite = wanted?.Value ?? "stable";
        ResolvedRelease resolved = await environment.ResolveRelease(mirrors, suite, cancellationToken);
        if (ValueChecks.Release(resolved.Codename) is not null)
        {
            throw new VirtigoException(FailureKind.Archive,
                $"The archive at {mirrors[0]} gives {SpecProblems.Quote(resolved.Codename)} as the codename of {suite}, which is none.",
                "Name the release in the spec, as in: release: trixie");
        }

        string version = resolved.Version is { } number ? $", version {number}" : "";
        string asked = wanted is null ? "" : $"{wanted.Origin}: ";
        return new(resolved.Codename, new Origin(OriginKind.Archive, $"{asked}its {suite} is {resolved.Codename}{version}"));
    }

    private Setting<string> KnownZone(Setting<string> zone)
    {
        string root = environment.ZoneInfoDirectory;
        if (!Directory.Exists(root) || File.Exists(Path.Combine(root, zone.Value)))
        {
            return zone;
        }

        IEnumerable<string> known = Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(root, file)).Order(StringComparer.Ordinal);
        throw new VirtigoException(FailureKind.Usage,
            $"{zone.Origin}: timezone: {SpecProblems.Quote(zone.Value)} is no time zone this host knows{SpecProblems.Suggest(zone.Value, known)}.",
            $"The names are those of the files below {root}.");
    }

    private async Task<Setting<ApplianceUser?>> UserAsync(ApplianceSpec spec, SecretSource secrets, CancellationToken cancellationToken)
    {
        if (spec.User is not { Value: var wish, Origin: var origin })
        {
            return Default<ApplianceUser?>(null, "an appliance needs none");
        }

        string? hash = await HashAsync(spec, secrets, (wish.Password, wish.PasswordHash), (wish.Name, "user.password"), cancellationToken);
        IReadOnlyList<string>? keys = wish.SshKeys is { Count: > 0 } named
            ? await secrets.KeysAsync(named, spec.Values!.At("user.ssh-keys"), cancellationToken)
            : null;
        if (hash is null && keys is not { Count: > 0 })
        {
            IReadOnlyList<(string File, string Key)> own = OwnSshKeys.Find(environment.SshDirectory);
            if (own.Count == 0)
            {
                throw new VirtigoException(FailureKind.Usage,
                    $"{origin}: the user {wish.Name} has neither a password nor an ssh key, and there is no public key of yours in "
                    + $"{environment.SshDirectory}.",
                    "Give password, password-hash or ssh-keys below user; or make a key with ssh-keygen.");
            }

            keys = [.. own.Select(one => one.Key)];
            origin = new Origin(origin.Kind, $"{origin}; your own keys: {string.Join(", ", own.Select(one => one.File))}");
        }

        return new(new ApplianceUser(wish.Name, hash, keys ?? []), origin);
    }

    private async Task<Setting<string?>> RootAsync(ApplianceSpec spec, SecretSource secrets, CancellationToken cancellationToken)
    {
        if (spec.Root is not { Value: var wish, Origin: var origin })
        {
            return Default<string?>(null, "nobody logs in as root");
        }

        return new(await HashAsync(spec, secrets, (wish.Password, wish.PasswordHash), ("root", "root.password"), cancellationToken), origin);
    }

    private async Task<string?> HashAsync(
        ApplianceSpec spec, SecretSource secrets, (SecretText? Password, SecretText? Hash) written, (string Name, string Key) account,
        CancellationToken cancellationToken)
    {
        if (written.Password is null)
        {
            return written.Hash?.Reveal();
        }

        SecretText password = await secrets.ResolveAsync(written.Password, spec.Values!.At(account.Key), $"Password for {account.Name}", cancellationToken);
        PasswordHasher hasher = await PasswordHasher.OpenAsync(environment.Paths, cancellationToken);
        return hasher.Hash(password, $"{spec.Name.Value}\0{account.Name}");
    }
}
