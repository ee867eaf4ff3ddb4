namespace Virtigo.Appliances;

/// <summary>Where an appliance comes from: the archive and the archive of its security updates.</summary>
internal sealed record MirrorChoice(Setting<IReadOnlyList<Uri>> Mirrors, Setting<Uri> Security)
{
    public static MirrorChoice Make(ApplianceSpec spec, UserConfig config, PlannerEnvironment environment)
    {
        Setting<IReadOnlyList<Uri>> mirrors = spec.Mirrors ?? config.Mirrors ?? OfHost(environment);
        return new MirrorChoice(mirrors, spec.SecurityMirror ?? config.SecurityMirror ?? SecurityOf(mirrors.Value[0], environment));
    }

    private static Setting<IReadOnlyList<Uri>> OfHost(PlannerEnvironment environment) =>
        environment.FindHostMirror() is { } host
            ? new([SpecReader.MirrorUri(host.Uri.AbsoluteUri)], new Origin(OriginKind.Host, host.Place))
            : throw new VirtigoException(FailureKind.Usage,
                "No Debian archive is known: the spec names none, neither does your configuration, and this host's apt sources have none.",
                $"Name one in the spec or in {environment.Paths.ConfigFile}, as in: mirror: http://mirror.example/debian");

    private static Setting<Uri> SecurityOf(Uri mirror, PlannerEnvironment environment) =>
        environment.FindHostSecurityMirror() is { } host
            ? new(SpecReader.MirrorUri(host.Uri.AbsoluteUri), new Origin(OriginKind.Host, host.Place))
            : new(new Uri(mirror, "../debian-security/"), new Origin(OriginKind.Derived, "beside the mirror, where mirrors keep it"));
}
